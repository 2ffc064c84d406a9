import { isGzip, NIFTI_SLACK, NiftiVolume, packingError, unpackedLength } from "./nifti.ts";
import { LONGEST_HEADER } from "./nifti-header.ts";

/**
 * A volume from a file's bytes, .nii or .nii.gz, where there is no zlib: a browser unpacks it. Throws DataError naming `file`.
 * Memory as `decodeNifti`, which reads files in Node.
 */
export async function readNifti(bytes: Uint8Array, file: string): Promise<NiftiVolume> {
  return NiftiVolume.of(isGzip(bytes) ? await unpacked(bytes, file) : bytes, file);
}

async function unpacked(bytes: Uint8Array, file: string): Promise<Uint8Array> {
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  // Damaged packing fails here and where it is read; there it is told.
  writer.write(bytes as Uint8Array<ArrayBuffer>).catch(() => undefined);
  writer.close().catch(() => undefined);
  const reader = stream.readable.getReader();
  const next = async () => {
    try {
      return (await reader.read()).value;
    } catch (error) {
      throw packingError(file, error instanceof Error ? error.message : String(error));
    }
  };
  try {
    const start = await firstBytes(next);
    const out = new Uint8Array(unpackedLength(start, bytes.length, file));
    let at = 0;
    for (let part: Uint8Array | undefined = start; part; part = await next()) {
      if (at + part.length > out.length + NIFTI_SLACK) throw packingError(file, "more bytes than its header announces");
      if (at < out.length) out.set(part.subarray(0, out.length - at), at);
      at += part.length;
    }
    if (at < out.length) throw packingError(file, `unexpected end after ${at} bytes`);
    return out;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** As many unpacked bytes as surely hold a header, or all there are. */
async function firstBytes(next: () => Promise<Uint8Array | undefined>): Promise<Uint8Array> {
  let found = (await next()) ?? new Uint8Array(0);
  while (found.length < LONGEST_HEADER) {
    const more = await next();
    if (!more) break;
    const both = new Uint8Array(found.length + more.length);
    both.set(found);
    both.set(more, found.length);
    found = both;
  }
  return found;
}

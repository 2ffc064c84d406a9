import { gunzipSync, constants as zlib } from "node:zlib";
import { readBytes } from "../decode.ts";
import { isGzip, NIFTI_SLACK, NiftiVolume, packingError, unpackedLength } from "./nifti.ts";

/** Compressed bytes that surely hold a header, with room for a file name inside the gzip wrapper. */
const FIRST_COMPRESSED = 8192;

function gunzip(bytes: Uint8Array, file: string): Uint8Array {
  const unzip = (part: Uint8Array, options: object) => {
    try {
      return gunzipSync(part, options);
    } catch (error) {
      throw packingError(file, error instanceof Error ? error.message : String(error));
    }
  };
  const start = unzip(bytes.subarray(0, FIRST_COMPRESSED), { finishFlush: zlib.Z_SYNC_FLUSH });
  const total = unpackedLength(start, bytes.length, file);
  // One output buffer of the right size: no doubling while it grows.
  return unzip(bytes, { maxOutputLength: total + NIFTI_SLACK, chunkSize: Math.max(64, total + 64) });
}

/**
 * A volume from a file's bytes, .nii or .nii.gz (told by content, not name). Throws DataError naming `file`. Memory: the
 * voxels as stored, checked against what the file can hold before anything is allocated.
 */
export function decodeNifti(bytes: Uint8Array, file: string): NiftiVolume {
  return NiftiVolume.of(isGzip(bytes) ? gunzip(bytes, file) : bytes, file);
}

/** {@link decodeNifti} of a file on disk. */
export async function openNifti(file: string): Promise<NiftiVolume> {
  return decodeNifti(await readBytes(file), file);
}

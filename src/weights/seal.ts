import { CheckpointError } from "../errors.ts";

/**
 * A seal is two SHA-256 in the metadata of a safetensors file: of the data, and of length field and header with its own
 * digits as zeros. The header's covers the data's, so that the header can be trusted without reading the tensors.
 * Other readers of the format see two texts more.
 */
const HEADER_KEY = "headerSha256";
const DATA_KEY = "dataSha256";
const BLANK = "0".repeat(64);

/** SHA-256 of bytes in memory, as 64 hexadecimal digits: the web's own, which Node has too. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // Nothing here shares memory between threads, which is all that the type leaves open.
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Metadata with an empty seal in front, where {@link closeSeal} finds its place. */
export function withBlankSeal(metadata: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([[HEADER_KEY, BLANK], [DATA_KEY, BLANK], ...metadata]);
}

/**
 * Writes the digest of the data and that of the header into `header` (length field and JSON), which was encoded with
 * {@link withBlankSeal}; an old seal goes.
 */
export async function closeSeal(header: Uint8Array, dataDigest: string): Promise<void> {
  place(header, DATA_KEY, dataDigest);
  place(header, HEADER_KEY, BLANK);
  place(header, HEADER_KEY, await sha256(header));
}

/**
 * Checks the seal of a header (length field and JSON) and returns the digest that the data must have; undefined for a
 * file without a seal. Throws CheckpointError where header and seal do not go together.
 */
export async function openSeal(
  header: Uint8Array,
  metadata: ReadonlyMap<string, string>,
  label: string,
): Promise<string | undefined> {
  const [own, data] = [metadata.get(HEADER_KEY), metadata.get(DATA_KEY)];
  if (own === undefined && data === undefined) return undefined;
  // A Buffer's slice would share its bytes.
  const blank = Uint8Array.from(header);
  if (own === undefined || data === undefined || !place(blank, HEADER_KEY, BLANK)) throw damaged(label);
  if ((await sha256(blank)) !== own) throw damaged(label);
  return data;
}

/** The error of a file, named by `label`, whose bytes are not those that were sealed. */
export function damaged(label: string): CheckpointError {
  return new CheckpointError(`${label} is damaged: its checksum does not match its contents; use another checkpoint`);
}

/** Overwrites the 64 digits of `key`; false where the header has no such place. */
function place(header: Uint8Array, key: string, digits: string): boolean {
  // One character a byte, so that places in the text are places in the bytes.
  const text = new TextDecoder("latin1").decode(header);
  const before = `"${key}":"`;
  const at = text.indexOf(before, 8);
  const start = at + before.length;
  if (at < 0 || start + BLANK.length > header.length) return false;
  header.set(new TextEncoder().encode(digits), start);
  return true;
}

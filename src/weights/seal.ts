import { createHash, type Hash } from "node:crypto";
import { CheckpointError } from "../errors.ts";

/**
 * A seal is two SHA-256 in the metadata of a safetensors file: of the data, and of length field and header with its own
 * digits as zeros. The header's covers the data's, so that the header can be trusted without reading the tensors.
 * Other readers of the format see two texts more.
 */
const HEADER_KEY = "headerSha256";
const DATA_KEY = "dataSha256";
const BLANK = "0".repeat(64);
/** One call of a hash takes less than 2 GiB. */
const HASHED_AT_ONCE = 1 << 28;

/** Metadata with an empty seal in front, where {@link closeSeal} finds its place. */
export function withBlankSeal(metadata: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([[HEADER_KEY, BLANK], [DATA_KEY, BLANK], ...metadata]);
}

export const newDigest = (): Hash => createHash("sha256");

export function addToDigest(digest: Hash, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) digest.update(bytes.subarray(at, at + HASHED_AT_ONCE));
}

/** Writes the digests into `header` (length field and JSON), which was encoded with {@link withBlankSeal}; an old seal goes. */
export function closeSeal(header: Uint8Array, data: Hash): void {
  place(header, DATA_KEY, data.digest("hex"));
  place(header, HEADER_KEY, BLANK);
  place(header, HEADER_KEY, newDigest().update(header).digest("hex"));
}

/**
 * Checks the seal of a header (length field and JSON) and returns the digest that the data must have; undefined for a
 * file without a seal. Throws CheckpointError where header and seal do not go together.
 */
export function openSeal(header: Uint8Array, metadata: ReadonlyMap<string, string>, label: string): string | undefined {
  const [own, data] = [metadata.get(HEADER_KEY), metadata.get(DATA_KEY)];
  if (own === undefined && data === undefined) return undefined;
  const blank = header.slice();
  if (own === undefined || data === undefined || !place(blank, HEADER_KEY, BLANK)) throw damaged(label);
  if (newDigest().update(blank).digest("hex") !== own) throw damaged(label);
  return data;
}

export function damaged(label: string): CheckpointError {
  return new CheckpointError(`${label} is damaged: its checksum does not match its contents; use another checkpoint`);
}

/** Overwrites the 64 digits of `key`; false where the header has no such place. */
function place(header: Uint8Array, key: string, digits: string): boolean {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const before = `"${key}":"`;
  const at = bytes.indexOf(before, 8, "latin1");
  const start = at + before.length;
  if (at < 0 || start + BLANK.length > bytes.length) return false;
  bytes.write(digits, start, "latin1");
  return true;
}

import type { FileHandle } from "node:fs/promises";
import { CheckpointError } from "../../errors.ts";
import type { Item, Storage } from "./pickle-values.ts";

/** Bytes that can be read in pieces: an open file, or memory. `label` names it in messages. */
export interface ByteSource {
  readonly label: string;
  readonly size: number;
  /** Exactly `length` bytes from `position` on, in memory of their own or shared. CheckpointError beyond the end. */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** What a form of the file gives: its value, and the bytes of a storage. */
export interface PthParts {
  readonly root: Item;
  storage(storage: Storage): Promise<Uint8Array>;
}

/** One read call moves at most this much: Node refuses 2 GiB and more. */
const CHUNK_BYTES = 1 << 28;

function checkRange({ label, size }: Pick<ByteSource, "label" | "size">, position: number, length: number): void {
  if (position >= 0 && length >= 0 && position + length <= size) return;
  throw new CheckpointError(
    `${label} is truncated or damaged: ${length} bytes at ${position} are wanted, the file has ${size}`,
  );
}

export function memorySource(bytes: Uint8Array, label: string): ByteSource {
  const facts = { label, size: bytes.length };
  return {
    ...facts,
    async read(position, length) {
      checkRange(facts, position, length);
      return bytes.subarray(position, position + length);
    },
  };
}

/** An open file of any size; the caller closes it. */
export async function fileSource(handle: FileHandle, label: string): Promise<ByteSource> {
  const facts = { label, size: (await handle.stat()).size };
  return {
    ...facts,
    async read(position, length) {
      checkRange(facts, position, length);
      const out = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(out, done, Math.min(CHUNK_BYTES, length - done), position + done);
        if (bytesRead === 0) throw new CheckpointError(`${label} became shorter while it was read`);
        done += bytesRead;
      }
      return out;
    },
  };
}

import type { Random } from "../../src/kernels/random.ts";

/** Values at which sizes, counts and signs go over. */
const EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Longest input that mutations make: what a parser does with larger ones follows from the figures in their headers. */
const MOST_BYTES = 2 ** 16;

/** What a mutation may use beside the bytes it changes. */
interface Material {
  /** Words of the format, such as names of chunks and tags. */
  readonly words: readonly Uint8Array[];
  /** Other inputs of the corpus, to take pieces from. */
  readonly others: readonly Uint8Array[];
}

/** Changes `bytes` (which it may overwrite) at or behind `at`. */
type Mutation = (bytes: Buffer, at: number, walk: Random, material: Material) => Buffer;

/** `bytes` with `drop` of them from `at` on replaced by `piece`. */
function spliced(bytes: Buffer, at: number, drop: number, piece: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(Math.min(bytes.length, at + drop))]);
}

function chosen<T>(items: readonly T[], walk: Random): T | undefined {
  return items.length === 0 ? undefined : items[walk.integer(items.length)];
}

const flipBit: Mutation = (bytes, at, walk) => {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << walk.integer(8));
  return bytes;
};

/** A whole number of 1, 2, 4 or 8 bytes in either order becomes an extreme one, or moves by a little. */
const changeNumber: Mutation = (bytes, at, walk) => {
  const size = [1, 2, 4, 8][walk.integer(4)] ?? 1;
  if (at + size > bytes.length) return bytes;
  const field = Buffer.from(bytes.subarray(at, at + size));
  const little = walk.integer(2) === 0;
  if (little) field.reverse();
  const old = BigInt(`0x${field.toString("hex")}`);
  const moved = old + BigInt(walk.integer(17) - 8);
  const extreme = BigInt(chosen(EXTREMES, walk) ?? 0);
  const value = BigInt.asUintN(8 * size, walk.integer(2) === 0 ? moved : extreme);
  const written = Buffer.from(value.toString(16).padStart(2 * size, "0"), "hex");
  if (little) written.reverse();
  bytes.set(written, at);
  return bytes;
};

/** Decimal digits, as text formats write sizes, become another number. */
const changeDigits: Mutation = (bytes, at, walk) => {
  const text = bytes.toString("latin1", at, Math.min(bytes.length, at + 64));
  const found = /-?\d+/.exec(text);
  if (found === null) return bytes;
  const number =
    walk.integer(2) === 0 ? String(chosen(EXTREMES, walk)) : `${"-9".repeat(walk.integer(2))}1e${walk.integer(400)}`;
  return spliced(bytes, at + found.index, found[0].length, Buffer.from(number));
};

const overwrite: Mutation = (bytes, at, walk) =>
  bytes.fill(EXTREMES[walk.integer(6)] ?? 0, at, Math.min(bytes.length, at + 1 + walk.integer(8)));
const cut: Mutation = (bytes, at) => bytes.subarray(0, at);
const remove: Mutation = (bytes, at, walk) => spliced(bytes, at, 1 + walk.integer(16), Buffer.alloc(0));
const repeat: Mutation = (bytes, at, walk) => {
  const piece = bytes.subarray(Math.max(0, at - walk.integer(64)), at);
  return spliced(bytes, at, 0, Buffer.concat(new Array<Buffer>(1 + walk.integer(3)).fill(Buffer.from(piece))));
};
const insertWord: Mutation = (bytes, at, walk, { words }) =>
  spliced(bytes, at, 0, chosen(words, walk) ?? Buffer.alloc(0));
const replaceByWord: Mutation = (bytes, at, walk, { words }) => {
  const word = chosen(words, walk) ?? Buffer.alloc(0);
  return spliced(bytes, at, word.length, word);
};
const takePiece: Mutation = (bytes, at, walk, { others }) => {
  const other = chosen(others, walk);
  if (other === undefined || other.length === 0) return bytes;
  const from = walk.integer(other.length);
  const piece = other.subarray(from, from + 1 + walk.integer(Math.min(256, other.length - from)));
  return spliced(bytes, at, walk.integer(2) === 0 ? piece.length : 0, piece);
};

const MUTATIONS: readonly Mutation[] = [
  ...[flipBit, flipBit, flipBit, changeNumber, changeNumber, changeDigits, overwrite, cut, remove, repeat],
  ...[insertWord, replaceByWord, takePiece],
];

/**
 * A spoiled copy of `original`: one to eight changes drawn from `walk`; two of three fall among the first `head` bytes,
 * where headers lie.
 */
export function mutate(original: Uint8Array, head: number, walk: Random, material: Material): Buffer {
  let bytes: Buffer = Buffer.from(original);
  const changes = 1 + walk.integer(walk.integer(3) === 0 ? 8 : 3);
  for (let change = 0; change < changes && bytes.length > 0; change++) {
    const reach = walk.integer(3) === 0 ? bytes.length : Math.min(head, bytes.length);
    bytes = MUTATIONS[walk.integer(MUTATIONS.length)]?.(bytes, walk.integer(reach), walk, material) ?? bytes;
  }
  return bytes.length > MOST_BYTES ? bytes.subarray(0, MOST_BYTES) : bytes;
}

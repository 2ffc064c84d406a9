import type { Dispatch } from "../../src/kernels/trace/op.ts";

/** `i` becomes `(i * factor + offset) % count`; the factor has no divisor in common with the count. */
interface Affine {
  readonly factor: number;
  readonly offset: number;
}

/** An order of a count of things, as the count decides it. */
export type Order = (count: number) => Affine;

/**
 * The orders in which the lanes of a workgroup are tried. A driver that runs a workgroup on a CPU visits its lanes, eight
 * or four at a time, from the first to the last up to each barrier, which hides a barrier that is missing between an
 * earlier lane that writes and a later one that reads. Reversed, the reader comes first. Mixed, lanes that were visited
 * together are not.
 */
export const ORDERS = {
  "as written": () => ({ factor: 1, offset: 0 }),
  reversed: (count) => ({ factor: Math.max(count - 1, 1), offset: count - 1 }),
  mixed: (count) => ({ factor: coprime(count, Math.ceil(0.38 * count)), offset: Math.floor(count / 3) }),
} as const satisfies Readonly<Record<string, Order>>;

function coprime(count: number, from: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let factor = Math.max(from, 1);
  while (divisor(count, factor) > 1) factor++;
  return factor;
}

/** The factor that undoes one, modulo the count. */
function inverse({ factor }: Affine, count: number): number {
  let candidate = 1;
  while ((factor * candidate) % count !== 1 % count) candidate++;
  return candidate;
}

/** True where lanes depend on one another: the kernel shares workgroup memory or uses subgroup operations. */
export const isCooperative = (wgsl: string): boolean =>
  /\bvar<workgroup>|\bworkgroupBarrier\b|\bsubgroup[A-Z]/.test(wgsl);

const BARRIER = "workgroupBarrier();";

export const barrierCount = (wgsl: string): number => wgsl.split(BARRIER).length - 1;

/** The kernel with its barrier number `which`, counted from 0, deleted. */
export function withoutBarrier(dispatch: Dispatch, which: number): Dispatch {
  const parts = dispatch.wgsl.split(BARRIER);
  if (which + 1 >= parts.length) throw new Error(`${dispatch.label} has no barrier ${which}`);
  const [before, after] = [parts.slice(0, which + 1), parts.slice(which + 1)];
  return { ...dispatch, wgsl: `${before.join(BARRIER)}${after.join(BARRIER)}` };
}

/** The operations that give every lane the same whatever their order; sums of floats differ by rounding. */
const SYMMETRIC = /^subgroup(Add|Mul|Min|Max|And|Or|Xor|All|Any)$/;

/** Words that {@link mirrored} adds to a kernel's arguments. */
const WORDS = ["outerFactor", "outerOffset", "innerFactor", "innerOffset", "innerInverse"] as const;

/**
 * The kernel with its lanes in another order: each invocation does the work of the lane that the order puts in its place.
 * Without subgroup operations any lane may take any place. With them whole subgroups change places, and lanes within
 * their subgroup, where the lane that a shuffle reads from is looked up at its new place. The order is an argument of the
 * kernel, so one text, compiled once, serves all of them. Throws for an operation whose lanes it cannot follow.
 */
export function mirrored(dispatch: Dispatch, subgroupSize: number | null, order: Order): Dispatch {
  const { label, wgsl, uniform } = dispatch;
  const [head, x = 1, y = 1, z = 1] = headOf(label, wgsl);
  const lanes = x * y * z;
  const operations = new Set(wgsl.match(/\bsubgroup[A-Z]\w*/g));
  const block = operations.size > 0 ? Math.min(must(subgroupSize, label), lanes) : lanes;
  for (const name of operations) {
    if (name !== "subgroupShuffle" && !SYMMETRIC.test(name)) throw new Error(`${label}: ${name} cannot be mirrored`);
  }
  const outer = order(lanes / block);
  const inner = order(block);
  const words = [outer.factor, outer.offset, inner.factor, inner.offset, inverse(inner, block)];
  const text = mapShuffles(wgsl)
    .replace(
      /^struct Args \{ (.*) \}$/m,
      (_, members: string) => `struct Args { ${members}, ${WORDS.join(": u32, ")}: u32 }`,
    )
    .replace(head, mirroredHead([x, y, z], block));
  return { ...dispatch, wgsl: text, uniform: Uint32Array.of(...uniform, ...words) };
}

function must(subgroupSize: number | null, label: string): number {
  if (subgroupSize === null) throw new Error(`${label} uses subgroups, but the adapter has no one size of them`);
  return subgroupSize;
}

/** The head of `main` as src/kernels/shader/shader.ts writes it, and its workgroup's extents. */
function headOf(label: string, wgsl: string): [string, ...number[]] {
  const found = /@compute @workgroup_size\((\d+), (\d+), (\d+)\)\nfn main\([^{]*\{\n {2}let lane = .*;\n/.exec(wgsl);
  if (!found || !/^struct Args \{ /m.test(wgsl)) throw new Error(`${label} is not a text of shader()`);
  const [head, ...extents] = found;
  return [head, ...extents.map(Number)];
}

function mirroredHead([x = 1, y = 1, z = 1]: readonly number[], block: number): string {
  const blocks = (x * y * z) / block;
  return `fn mirror_lane(at: u32) -> u32 {
  let outer = (at / ${block}u * args.outerFactor + args.outerOffset) % ${blocks}u;
  let inner = (at % ${block}u * args.innerFactor + args.innerOffset) % ${block}u;
  return outer * ${block}u + inner;
}
fn mirror_place(lane: u32) -> u32 {
  return (lane + ${block}u - args.innerOffset) * args.innerInverse % ${block}u;
}
@compute @workgroup_size(${x}, ${y}, ${z})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) mirror_at: u32) {
  let lane = mirror_lane(mirror_at);
  let local = vec3u(lane % ${x}u, lane / ${x}u % ${y}u, lane / ${x * y}u);
  let id = group * vec3u(${x}u, ${y}u, ${z}u) + local;
`;
}

const SHUFFLE = "subgroupShuffle(";

/** `subgroupShuffle(v, lane)` with the lane's place instead, shuffles inside shuffles included. */
function mapShuffles(wgsl: string): string {
  const start = wgsl.indexOf(SHUFFLE);
  if (start < 0) return wgsl;
  const inside = start + SHUFFLE.length;
  let depth = 1;
  let comma = inside;
  let end = inside;
  for (; depth > 0; end++) {
    const letter = wgsl[end];
    if (letter === undefined) throw new Error("a shuffle has no end");
    if (letter === "(" || letter === "[") depth++;
    if (letter === ")" || letter === "]") depth--;
    if (letter === "," && depth === 1) comma = end;
  }
  const value = mapShuffles(wgsl.slice(inside, comma));
  const lane = mapShuffles(wgsl.slice(comma + 1, end - 1)).trim();
  return `${wgsl.slice(0, inside)}${value}, mirror_place(${lane}))${mapShuffles(wgsl.slice(end))}`;
}

/**
 * What of a kernel decides how its lanes meet: workgroup memory, and the functions that use it, a barrier or a subgroup
 * operation, with numbers left out. Kernels that agree in it differ in what each lane does by itself, as in their
 * epilogue or how they read a tensor, and in sizes of tiles.
 */
export function cooperation(wgsl: string): string {
  const memory = wgsl.match(/^var<workgroup>.*$/gm) ?? [];
  const names = memory.map((line) => /> *(\w+)/.exec(line)?.[1] ?? "");
  const meets = new RegExp(`\\b(${["workgroupBarrier", "subgroup[A-Z]\\w*", ...names].join("|")})\\b`);
  const functions = wgsl
    .split(/\n(?=fn |@compute|var<|@group|struct |const |alias )/)
    .filter((text) => /^fn |^@compute/.test(text));
  return [...memory, ...functions.filter((text) => meets.test(text))].join("\n").replace(/\b\d+u?\b/g, "#");
}

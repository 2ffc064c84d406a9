import { ACTIVATIONS, declaredOnce } from "../../shader/activation.ts";
import { epilogueText } from "../../shader/epilogue.ts";
import { read, type TensorUse } from "../../shader/shader.ts";
import { type Epilogue, FUSED_ACTIVATIONS } from "../../trace/op.ts";
import type { RowProduct } from "./text.ts";

/** Tensors and text of what a tile does with its sums. */
export interface StoreText {
  readonly tensors: { readonly [name: string]: TensorUse };
  /**
   * `tail_at(n4)`, what all rows of a column quad share, which is read once; `store4(split, m, n4, v, tail)` stores four
   * columns of output row `m`, of stretch `split`, where they exist, and returns what it stored; zero where nothing.
   */
  readonly text: string;
}

/** Stores with the whole epilogue, fused; of the one stretch there is. */
export function storeText(product: RowProduct, epilogue: Epilogue): StoreText {
  const names = { sum: "v", scale: "tail.scale", bias: "tail.bias", at: "at" };
  const { tensors, finish, functions } = epilogueText(epilogue, product.outWide, names);
  const perColumn = (["scale", "bias"] as const).filter((name) => epilogue[name]);
  return {
    tensors,
    text: [functions, storeFunctions(product.outWide, perColumn, "m", finish)].filter(Boolean).join("\n"),
  };
}

/** Stores the sums of each stretch as they are, one output after the other. */
export function partText({ outWide }: RowProduct): StoreText {
  return { tensors: {}, text: storeFunctions(outWide, [], "(split * args.pixels + m)", "v") };
}

/** The functions of a {@link StoreText}, from the row and the value that are stored, `perColumn` the tensors by column. */
function storeFunctions(wide: boolean, perColumn: readonly string[], row: string, value: string): string {
  const tail = (type: string) => `{ ${perColumn.map((name) => `${name}: ${type}`).join(", ") || "none: u32"} }`;
  const of = (read: (name: string) => string) => perColumn.map(read).join(", ") || "0u";
  const names = AXES.map((_, j) => j);
  return wide
    ? `alias T = vec4f;
struct Tail ${tail("vec4f")}
fn tail_at(n4: u32) -> Tail {
  let n = min(n4, args.columns / 4u - 1u);
  return Tail(${of((name) => `${name}_at(n)`)});
}
fn store4(split: u32, m: u32, n4: u32, v: vec4f, tail: Tail) -> vec4f {
  let width = args.columns / 4u;
  if (m == NONE || n4 >= width) { return vec4f(0.0); }
  let at = ${row} * width + n4;
  let value = ${value};
  out_set(at, value);
  return value;
}`
    : `alias T = f32;
struct Tail1 ${tail("f32")}
struct Tail { ${names.map((j) => `t${j}: Tail1`).join(", ")} }
fn tail1(n1: u32) -> Tail1 {
  let n = min(n1, args.columns - 1u);
  return Tail1(${of((name) => `${name}_at(n)`)});
}
fn tail_at(n4: u32) -> Tail { return Tail(${names.map((j) => `tail1(4u * n4 + ${j}u)`).join(", ")}); }
fn store1(split: u32, m: u32, n: u32, v: f32, tail: Tail1) -> f32 {
  if (m == NONE || n >= args.columns) { return 0.0; }
  let at = ${row} * args.columns + n;
  let value = ${value};
  out_set(at, value);
  return value;
}
fn store4(split: u32, m: u32, n4: u32, v: vec4f, tail: Tail) -> vec4f {
  return vec4f(${AXES.map((a, j) => `store1(split, m, 4u * n4 + ${j}u, v.${a}, tail.t${j})`).join(", ")});
}`;
}

const AXES = ["x", "y", "z", "w"] as const;

/** Bits of `args.tail` and numbers of `args.ending` in {@link uniformStoreText}. */
const TAIL = { scale: 1, bias: 2, residual: 4 } as const;
const NUMBERED = ["none", ...FUSED_ACTIVATIONS] as const;

/**
 * As {@link storeText}, with the choice of tail in the uniform instead of the text: where a tile's kernel takes a
 * second to compile, one pipeline has to serve every convolution, and one every gradient that takes a slope. A tensor that
 * is not used is bound to the weight.
 */
export function uniformStoreText(product: RowProduct, epilogue: Epilogue) {
  const { outWide, out, weight } = product;
  const { scale, bias, residual, saved, slope, activation = slope ?? "none" } = epilogue;
  const used = Object.entries(TAIL).reduce(
    (bits, [name, bit]) => bits + (epilogue[name as keyof typeof TAIL] ? bit : 0),
    0,
  );
  const tensors: Record<string, TensorUse> = {
    scale: read(scale ?? weight, outWide),
    bias: read(bias ?? weight, outWide),
    residual: read(residual ?? weight, outWide),
    ...(saved ? { saved: read(saved, outWide) } : {}),
  };
  const sizes = { tail: used, ending: NUMBERED.indexOf(activation) };
  const texts = FUSED_ACTIVATIONS.map((name) => ACTIVATIONS[name][saved ? "slope" : "wgsl"]);
  const ended = (name: string) => (saved ? `v * ${name}Slope(saved_at(at))` : `${name}(v)`);
  const cases = FUSED_ACTIVATIONS.map((name) => `    case ${NUMBERED.indexOf(name)}u: { return ${ended(name)}; }`);
  const finish = `alias T = ${outWide ? "vec4f" : "f32"};
${declaredOnce(texts)}
fn ended(v: T, at: u32) -> T {
  switch args.ending {
${cases.join("\n")}
    default: { return v; }
  }
}
fn finished(v: T, channel: u32, at: u32) -> T {
  var y = v;
  if ((args.tail & ${TAIL.scale}u) != 0u) { y *= scale_at(channel); }
  if ((args.tail & ${TAIL.bias}u) != 0u) { y += bias_at(channel); }
  if ((args.tail & ${TAIL.residual}u) != 0u) { y += residual_at(at); }
  return ended(y, at);
}`;
  const store = outWide
    ? `fn store4(m: u32, n4: u32, v: vec4f) {
  let width = args.columns / 4u;
  if (m == NONE || n4 >= width) { return; }
  let at = m * width + n4;
  out_set(at, finished(v, n4, at));
}`
    : `fn store4(m: u32, n4: u32, v: vec4f) {
  if (m == NONE) { return; }
  for (var j = 0u; j < min(4u, args.columns - min(4u * n4, args.columns)); j++) {
    let n = 4u * n4 + j;
    let at = m * args.columns + n;
    out_set(at, finished(v[j], n, at));
  }
}`;
  return { tensors, sizes, out, text: `${finish}\n${store}` };
}

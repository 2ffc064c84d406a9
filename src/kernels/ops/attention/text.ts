import { read, shader, spread, type TensorUse, write } from "../../shader/shader.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { blockForm, fitsBlocks } from "./blocks.ts";
import { type PassSpec, quadsOf } from "./pass.ts";
import { overflows, walkForm } from "./walk.ts";

/** The dispatches of a pass: one, or one for each of its sums where these need a GPU's registers for themselves. */
export function attentionPass(spec: PassSpec): Dispatch[] {
  const sums = Object.keys(spec.sums);
  return overflows(spec) ? sums.map((sum) => kernelOf(narrowed(spec, sum))) : [kernelOf(spec)];
}

/** The part of a pass that one of its sums needs. */
function narrowed(spec: PassSpec, out: string): PassSpec {
  const { weights, sums } = spec;
  const used = new Set<string>();
  const use = (name: string): string => {
    used.add(name);
    if (weights !== "softmax") weights[name]?.(use);
    return name;
  };
  const kept = <T>(all: { readonly [name: string]: T }, wanted: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => wanted(name)));
  const only = kept(sums, (name) => name === out);
  for (const { weight } of Object.values(only)) use(weights === "softmax" ? "s" : weight);
  const products = kept(spec.products, (name) => used.has(name));
  const rows = new Set([...Object.values(products).flat(), ...Object.values(only).map((sum) => sum.rows)]);
  return {
    ...spec,
    own: kept(spec.own, (name) => rows.has(name)),
    ownScalars: kept(spec.ownScalars, (name) => used.has(name)),
    other: kept(spec.other, (name) => rows.has(name)),
    otherScalars: kept(spec.otherScalars, (name) => used.has(name)),
    products,
    weights: weights === "softmax" ? weights : kept(weights, (name) => used.has(name)),
    sums: only,
  };
}

/** The kernel of a pass: the frame that all forms share round the form that fits the adapter and the sizes. */
function kernelOf(spec: PassSpec): Dispatch {
  const { target, lanes, heads, tokens, dim } = spec;
  const form = fitsBlocks(spec) ? blockForm(spec) : walkForm(spec);
  const wide = dim % 4 === 0;
  const blocks = Math.ceil(tokens / form.rows);
  const total = lanes * heads * blocks;
  const rows = { ...spec.own, ...spec.other };
  const outs = Object.fromEntries(Object.entries(spec.sums).map(([name, { value }]) => [name, value]));
  return shader({
    label: spec.label,
    target,
    tensors: {
      ...uses(rows, (value) => read(value, wide)),
      ...uses({ ...spec.ownScalars, ...spec.otherScalars }, (value) => read(value)),
      ...uses(outs, (value) => write(value, wide)),
      ...(spec.logSum ? { lse: write(spec.logSum) } : {}),
    },
    sizes: {
      total,
      blocks,
      heads,
      tokens,
      dim,
      width: wide ? dim / 4 : dim,
      quads: quadsOf(spec),
      ...form.sizes,
    },
    floats: { scale: 1 / Math.sqrt(dim) },
    ...(form.enable ? { enable: form.enable } : {}),
    workgroupSize: [form.workgroup],
    workgroups: spread(total, target),
    functions: [
      PLACE,
      ...Object.keys(rows).map((name) => reader(name, wide)),
      ...Object.keys(outs).map((name) => writer(name, wide)),
      ...(form.functions ? [form.functions] : []),
    ].join("\n"),
    main: `  let block = group.x + group.y * groups.x;
  if (block >= args.total) { return; }
  let lane_head = block / args.blocks;
  let first = (block % args.blocks) * ${form.rows}u;
  let scalars = lane_head * args.tokens;
${form.main}`,
  });
}

function uses(values: { readonly [name: string]: Value }, use: (value: Value) => TensorUse) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, use(value)]));
}

const PLACE = `const LOW = -1e30;
fn place(lane_head: u32, row: u32) -> u32 {
  return (((lane_head / args.heads) * args.tokens + row) * args.heads + lane_head % args.heads) * args.width;
}`;

/** Quad `d` of the row at `base`; components past the end of an odd row are zero. */
function reader(name: string, wide: boolean): string {
  if (wide) return `fn ${name}_quad(base: u32, d: u32) -> vec4f { return ${name}_at(base + d); }`;
  return `fn ${name}_quad(base: u32, d: u32) -> vec4f {
  let at = base + 4u * d;
  let left = args.dim - 4u * d;
  var v = vec4f(${name}_at(at), 0.0, 0.0, 0.0);
  if (left > 1u) { v.y = ${name}_at(at + 1u); }
  if (left > 2u) { v.z = ${name}_at(at + 2u); }
  if (left > 3u) { v.w = ${name}_at(at + 3u); }
  return v;
}`;
}

function writer(name: string, wide: boolean): string {
  if (wide) return `fn ${name}_put(base: u32, d: u32, v: vec4f) { ${name}_set(base + d, v); }`;
  return `fn ${name}_put(base: u32, d: u32, v: vec4f) {
  let at = base + 4u * d;
  let left = args.dim - 4u * d;
  ${name}_set(at, v.x);
  if (left > 1u) { ${name}_set(at + 1u, v.y); }
  if (left > 2u) { ${name}_set(at + 2u, v.z); }
  if (left > 3u) { ${name}_set(at + 3u, v.w); }
}`;
}

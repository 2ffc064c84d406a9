import { read, shader, spread, type TensorUse, write } from "../../shader/shader.ts";
import { fitsWorkgroupTiles, prefersShuffleTiles, type Target } from "../../target.ts";
import type { Dispatch, Value } from "../../trace/op.ts";

/**
 * The loop all passes of attention share: every invocation owns one row (a query, or a key in the last pass) and walks
 * over all rows of the other side, a block at a time, keeping its sums in registers. How the other side's rows reach
 * the invocations depends on the adapter: by shuffles between the eight lanes of a subgroup, through workgroup memory,
 * or read by each for itself.
 */
interface PassSpec {
  readonly label: string;
  readonly target: Target;
  readonly lanes: number;
  readonly heads: number;
  readonly tokens: number;
  readonly dim: number;
  /** Row tensors [lanes, tokens, heads * dim] and scalar tensors [lanes, heads, tokens], owned and walked over. */
  readonly own: { readonly [name: string]: Value };
  readonly ownScalars: { readonly [name: string]: Value };
  readonly other: { readonly [name: string]: Value };
  readonly otherScalars: { readonly [name: string]: Value };
  readonly outs: { readonly [name: string]: Value };
  readonly outScalars?: { readonly [name: string]: Value };
  /** The owned tensor that is multiplied by 1/sqrt(dim) as it is read. */
  readonly scaled: string;
  /** Statements before the walk, for one block of the other side, and after the walk (inside `if (mine)`). */
  readonly before: string;
  block(block: Block): string;
  readonly after: string;
}

/** What the text of one block refers to. */
interface Block {
  /** Rows in a block. */
  readonly rows: number;
  /** `each(j => ..)` repeats a statement for every row. */
  each(text: (j: number) => string): string;
  /** A sum over the rows. */
  sum(text: (j: number) => string): string;
  /** A loop over the quads of a row; its index is `d`. */
  quads(body: string): string;
  /** Quad `d` of row `j`. */
  vec(name: string, j: number): string;
  scalar(name: string, j: number): string;
  /** True where row `j` exists. */
  valid(j: number): string;
}

type Sharing = "shuffle" | "tile" | "plain";

interface Form {
  readonly sharing: Sharing;
  readonly workgroup: number;
  /** Rows of the other side fetched together, and rows of one block. */
  readonly tile: number;
  readonly rows: number;
  /** Quads that the arrays of a row have room for. */
  readonly quads: number;
  readonly wide: boolean;
  /** The bound of loops over quads. */
  readonly bound: string;
}

/**
 * Up to here CPU drivers too keep the quads of a row in named registers, if they are whole; beyond it, compiling would
 * take too long: the loops stay loops, and lengths share texts by the next power of two.
 */
const UNROLLED_QUADS = 4;

function formOf(spec: PassSpec): Form {
  const { target, dim } = spec;
  const quads = Math.ceil(dim / 4);
  const wide = dim % 4 === 0;
  const rolled = target.software && (quads > UNROLLED_QUADS || !wide);
  const shared = {
    quads: rolled ? 2 ** Math.ceil(Math.log2(quads)) : quads,
    wide,
    bound: rolled ? "args.quads" : `${quads}u`,
  };
  const perRow = 16 * quads * Object.keys(spec.other).length + 4 * Object.keys(spec.otherScalars).length;
  const tile = 2 ** Math.min(6, Math.floor(Math.log2(target.workgroupStorage / perRow)));
  // Two rows a block: four compile three times as long and run no faster.
  if (prefersShuffleTiles(target)) return { ...shared, sharing: "shuffle", workgroup: 8, tile: 8, rows: 2 };
  if (fitsWorkgroupTiles(target) && tile >= 4) {
    return { ...shared, sharing: "tile", workgroup: 64, tile, rows: 4 };
  }
  return { ...shared, sharing: "plain", workgroup: 64, tile: 2, rows: 2 };
}

export function attentionPass(spec: PassSpec): Dispatch {
  const form = formOf(spec);
  const { target, lanes, heads, tokens, dim } = spec;
  const blocks = Math.ceil(tokens / form.workgroup);
  const total = lanes * heads * blocks;
  const rowTensors = { ...spec.own, ...spec.other };
  const scalars = { ...spec.ownScalars, ...spec.otherScalars };
  return shader({
    label: spec.label,
    target,
    tensors: {
      ...uses(rowTensors, (value) => read(value, form.wide)),
      ...uses(scalars, (value) => read(value)),
      ...uses(spec.outs, (value) => write(value, form.wide)),
      ...uses(spec.outScalars ?? {}, (value) => write(value)),
    },
    sizes: {
      total,
      blocks,
      heads,
      tokens,
      dim,
      width: form.wide ? dim / 4 : dim,
      quads: Math.ceil(dim / 4),
      tile: form.tile,
    },
    floats: { scale: 1 / Math.sqrt(dim) },
    ...(form.sharing === "shuffle" ? { enable: ["subgroups"] } : {}),
    workgroupSize: [form.workgroup],
    workgroups: spread(total, target),
    functions: functions(spec, form, Object.keys(rowTensors)),
    main: main(spec, form),
  });
}

function uses(values: { readonly [name: string]: Value }, use: (value: Value) => TensorUse) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, use(value)]));
}

function functions(spec: PassSpec, form: Form, rows: readonly string[]): string {
  const tiles = form.sharing === "tile" ? declareTiles(spec, form) : [];
  return [
    `const LOW = -1e30;
fn place(lane_head: u32, row: u32) -> u32 {
  return (((lane_head / args.heads) * args.tokens + row) * args.heads + lane_head % args.heads) * args.width;
}`,
    ...rows.map((name) => reader(name, form.wide)),
    ...Object.keys(spec.outs).map((name) => writer(name, form.wide)),
    ...tiles,
  ].join("\n");
}

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

function declareTiles(spec: PassSpec, { tile, quads }: Form): string[] {
  return [
    ...Object.keys(spec.other).map((name) => `var<workgroup> ${name}_tile: array<vec4f, ${tile * quads}>;`),
    ...Object.keys(spec.otherScalars).map((name) => `var<workgroup> ${name}_tile: array<f32, ${tile}>;`),
  ];
}

function main(spec: PassSpec, form: Form): string {
  const { quads, bound } = form;
  const own = Object.keys(spec.own);
  const scale = (name: string) => (name === spec.scaled ? " * args.scale" : "");
  return `  let block = group.x + group.y * groups.x;
  if (block >= args.total) { return; }
  let lane_head = block / args.blocks;
  let row = (block % args.blocks) * ${form.workgroup}u + lane;
  let mine = row < args.tokens;
  let kept = min(row, args.tokens - 1u);
  let base = place(lane_head, kept);
  let scalars = lane_head * args.tokens;
${own.map((name) => `  var ${name}: array<vec4f, ${quads}>;`).join("\n")}
  for (var d = 0u; d < ${bound}; d++) {
${own.map((name) => `    ${name}[d] = ${name}_quad(base, d)${scale(name)};`).join("\n")}
  }
${Object.keys(spec.ownScalars)
  .map((name) => `  let ${name} = ${name}_at(scalars + kept);`)
  .join("\n")}
${spec.before.replaceAll("QUADS", `${quads}`)}
  for (var start = 0u; start < args.tokens; start += ${form.tile}u) {
${walk(spec, form)}
  }
  if (mine) {
${spec.after.replaceAll("QUADS", bound)}
  }`;
}

/** Fetches one tile of the other side and works it off. */
function walk(spec: PassSpec, form: Form): string {
  const others = Object.keys(spec.other);
  const scalars = Object.keys(spec.otherScalars);
  const { tile, quads, bound, rows } = form;
  const body = spec.block(blockOf(form));
  if (form.sharing === "shuffle") {
    return `    let near = min(start + lane, args.tokens - 1u);
    let there = place(lane_head, near);
${others.map((name) => `    var ${name}_near: array<vec4f, ${quads}>;`).join("\n")}
    for (var d = 0u; d < ${bound}; d++) {
${others.map((name) => `      ${name}_near[d] = ${name}_quad(there, d);`).join("\n")}
    }
${scalars.map((name) => `    let ${name}_near = ${name}_at(scalars + near);`).join("\n")}
    for (var at = 0u; at < args.tile; at += ${rows}u) {
${body}
    }`;
  }
  if (form.sharing === "plain") {
    return `${repeat(rows, (j) => `    let there${j} = place(lane_head, min(start + ${j}u, args.tokens - 1u));`)}
${body}`;
  }
  return `    workgroupBarrier();
    for (var n = lane; n < ${tile * quads}u; n += ${form.workgroup}u) {
      let there = place(lane_head, min(start + n / ${quads}u, args.tokens - 1u));
${others.map((name) => `      ${name}_tile[n] = ${name}_quad(there, n % ${quads}u);`).join("\n")}
    }
${scalars.map((name) => `    if (lane < ${tile}u) { ${name}_tile[lane] = ${name}_at(scalars + min(start + lane, args.tokens - 1u)); }`).join("\n")}
    workgroupBarrier();
    for (var at = 0u; at < ${tile}u; at += ${rows}u) {
${body}
    }`;
}

const repeat = (count: number, text: (j: number) => string): string =>
  Array.from({ length: count }, (_, j) => text(j)).join("\n");

function blockOf({ sharing, rows, quads, bound }: Form): Block {
  const vec = {
    shuffle: (name: string, j: number) => `subgroupShuffle(${name}_near[d], at + ${j}u)`,
    tile: (name: string, j: number) => `${name}_tile[(at + ${j}u) * ${quads}u + d]`,
    plain: (name: string, j: number) => `${name}_quad(there${j}, d)`,
  };
  const scalar = {
    shuffle: (name: string, j: number) => `subgroupShuffle(${name}_near, at + ${j}u)`,
    tile: (name: string, j: number) => `${name}_tile[at + ${j}u]`,
    plain: (name: string, j: number) => `${name}_at(scalars + min(start + ${j}u, args.tokens - 1u))`,
  };
  return {
    rows,
    each: (text) => repeat(rows, text),
    sum: (text) => Array.from({ length: rows }, (_, j) => text(j)).join(" + "),
    quads: (body) => `    for (var d = 0u; d < ${bound}; d++) {\n${body}\n    }`,
    vec: vec[sharing],
    scalar: scalar[sharing],
    valid: (j) => `start + ${sharing === "plain" ? "" : "at + "}${j}u < args.tokens`,
  };
}

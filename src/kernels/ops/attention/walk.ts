import { range } from "../../range.ts";
import { fitsWorkgroupTiles, prefersShuffleTiles } from "../../target.ts";
import { factorOf, ownQuad, type PassForm, type PassSpec, quadsOf } from "./pass.ts";

/**
 * Every invocation owns one row and walks over all rows of the other side, a block at a time, with its sums in registers
 * and its row too where both fit. How the other side's rows reach the invocations depends on the adapter: by shuffles between
 * the eight lanes of a subgroup, through workgroup memory, or read by each for itself. On a GPU the last takes half the
 * registers of a tile and no workgroup memory, since what is the same for all lanes is read once, into scalar registers.
 */
type Sharing = "shuffle" | "tile" | "plain";

interface Layout {
  readonly sharing: Sharing;
  readonly workgroup: number;
  /** Rows of the other side fetched together, and rows of one block. */
  readonly tile: number;
  readonly rows: number;
  /** Whether the own row stays in registers; else each block reads it again. */
  readonly keeps: boolean;
  /** Quads that the arrays of a row have room for. */
  readonly quads: number;
  /** The bound of loops over quads. */
  readonly bound: string;
}

/**
 * Up to here CPU drivers too keep the quads of a row in named registers, if they are whole; beyond it, compiling would
 * take too long: the loops stay loops, and lengths share texts by the next power of two.
 */
const UNROLLED_QUADS = 4;

/** Up to here a GPU's tile of the other side takes 9 KiB at most; with longer rows compilers run out of registers. */
const TILED_QUADS = 4;
/** Quads of own rows and sums that fit a GPU's registers. */
const REGISTER_QUADS = 40;

function layoutOf(spec: PassSpec): Layout {
  const { target, dim } = spec;
  const quads = quadsOf(spec);
  const rolled = target.software && (quads > UNROLLED_QUADS || dim % 4 !== 0);
  const keeps = !overflows(spec);
  const shared = {
    keeps,
    quads: rolled ? 2 ** Math.ceil(Math.log2(quads)) : quads,
    bound: rolled ? "args.quads" : `${quads}u`,
  };
  // Two rows a block: four compile three times as long and run no faster.
  if (prefersShuffleTiles(target)) return { ...shared, sharing: "shuffle", workgroup: 8, tile: 8, rows: 2 };
  if (fitsWorkgroupTiles(target) && quads <= TILED_QUADS) {
    return { ...shared, sharing: "tile", workgroup: 64, tile: 64, rows: 4 };
  }
  // Numbers that are needed twice stay in scalar registers in between: those of one row fit. A row that is read again for
  // every block has to serve many.
  const rows = !keeps ? 8 : readsOnce(spec) ? 2 : 1;
  return { ...shared, sharing: "plain", workgroup: 64, tile: rows, rows };
}

/** Whether each of the other side's tensors is either multiplied or added up. */
function readsOnce({ products, sums }: PassSpec): boolean {
  const added = new Set(Object.values(sums).map(({ rows }) => rows));
  return Object.values(products).every(([, other]) => !added.has(other));
}

/** Whether own rows and sums are more than there are registers for: then a dispatch should have one sum only. */
export function overflows(spec: PassSpec): boolean {
  const arrays = Object.keys(spec.own).length + Object.keys(spec.sums).length;
  return !prefersShuffleTiles(spec.target) && arrays * quadsOf(spec) > REGISTER_QUADS;
}

export function walkForm(spec: PassSpec): PassForm {
  const layout = layoutOf(spec);
  return {
    ...(layout.sharing === "shuffle" ? { enable: ["subgroups"] } : {}),
    workgroup: layout.workgroup,
    rows: layout.workgroup,
    sizes: { tile: layout.tile },
    functions: layout.sharing === "tile" ? declareTiles(spec, layout) : "",
    main: main(spec, layout),
  };
}

function declareTiles(spec: PassSpec, { tile, quads }: Layout): string {
  return [
    ...Object.keys(spec.other).map((name) => `var<workgroup> ${name}_tile: array<vec4f, ${tile * quads}>;`),
    ...Object.keys(spec.otherScalars).map((name) => `var<workgroup> ${name}_tile: array<f32, ${tile}>;`),
  ].join("\n");
}

const lines = (texts: readonly string[]): string => texts.join("\n");

function main(spec: PassSpec, layout: Layout): string {
  const { quads, bound, keeps } = layout;
  const own = keeps ? Object.keys(spec.own) : [];
  const softmax = spec.weights === "softmax";
  return `  let row = first + lane;
  let mine = row < args.tokens;
  let kept = min(row, args.tokens - 1u);
  let base = place(lane_head, kept);
${lines(own.map((name) => `  var ${name}: array<vec4f, ${quads}>;`))}
  ${
    keeps
      ? `for (var d = 0u; d < ${bound}; d++) {
${lines(own.map((name) => `    ${name}[d] = ${ownQuad(spec, name, "base", "d")};`))}
  }`
      : ""
  }
${lines(Object.keys(spec.ownScalars).map((name) => `  let ${name} = ${name}_at(scalars + kept);`))}
${lines(Object.keys(spec.sums).map((name) => `  var ${name}_sum: array<vec4f, ${quads}>;`))}
${softmax ? "  var highest = LOW;\n  var total = 0.0;" : ""}
  for (var start = 0u; start < args.tokens; start += ${layout.tile}u) {
${walk(spec, layout)}
  }
  if (mine) {
    for (var d = 0u; d < ${bound}; d++) {
${lines(Object.entries(spec.sums).map(([name, sum]) => `      ${name}_put(base, d, ${name}_sum[d]${factorOf(spec, sum, "total")});`))}
    }
${spec.logSum ? "    lse_set(scalars + row, highest + log(total));" : ""}
  }`;
}

/** Fetches one tile of the other side and works it off. */
function walk(spec: PassSpec, layout: Layout): string {
  const others = Object.keys(spec.other);
  const scalars = Object.keys(spec.otherScalars);
  const { tile, quads, bound, rows } = layout;
  const body = block(spec, layout);
  if (layout.sharing === "shuffle") {
    return `    let near = min(start + lane, args.tokens - 1u);
    let there = place(lane_head, near);
${lines(others.map((name) => `    var ${name}_near: array<vec4f, ${quads}>;`))}
    for (var d = 0u; d < ${bound}; d++) {
${lines(others.map((name) => `      ${name}_near[d] = ${name}_quad(there, d);`))}
    }
${lines(scalars.map((name) => `    let ${name}_near = ${name}_at(scalars + near);`))}
    for (var at = 0u; at < args.tile; at += ${rows}u) {
${body}
    }`;
  }
  if (layout.sharing === "plain") {
    return `${lines(range(rows).map((j) => `    let there${j} = place(lane_head, min(start + ${j}u, args.tokens - 1u));`))}
${body}`;
  }
  return `    workgroupBarrier();
    for (var n = lane; n < ${tile * quads}u; n += ${layout.workgroup}u) {
      let there = place(lane_head, min(start + n / ${quads}u, args.tokens - 1u));
${lines(others.map((name) => `      ${name}_tile[n] = ${name}_quad(there, n % ${quads}u);`))}
    }
${lines(scalars.map((name) => `    if (lane < ${tile}u) { ${name}_tile[lane] = ${name}_at(scalars + min(start + lane, args.tokens - 1u)); }`))}
    workgroupBarrier();
    for (var at = 0u; at < ${tile}u; at += ${rows}u) {
${body}
    }`;
}

/** The products, weights and sums of `rows` rows of the other side. */
function block(spec: PassSpec, layout: Layout): string {
  const { rows, bound } = layout;
  const { vec, scalar, valid } = access(layout);
  const every = range(rows);
  const overQuads = (body: string, end = bound) => `    for (var d = 0u; d < ${end}; d++) {\n${body}\n    }`;
  const products = Object.entries(spec.products);
  const added = Object.entries(spec.sums).map(([name, sum]) => {
    const terms = every.map((j) => `${sum.weight}${j} * ${vec(sum.rows, j)}`).join(" + ");
    return softmaxOf(spec)
      ? `      ${name}_sum[d] = ${name}_sum[d] * fade + (${terms});`
      : `      ${name}_sum[d] += ${terms};`;
  });
  return lines([
    ...every.map((j) => `    ${products.map(([name]) => `var ${name}${j} = 0.0;`).join(" ")}`),
    overQuads(
      lines([
        ...Object.keys(spec.own).map(
          (name) => `      let ${name}_d = ${layout.keeps ? `${name}[d]` : ownQuad(spec, name, "base", "d")};`,
        ),
        ...every.flatMap((j) =>
          products.map(([name, [own, other]]) => `      ${name}${j} += dot(${own}_d, ${vec(other, j)});`),
        ),
      ]),
      layout.keeps ? bound : "args.quads",
    ),
    ...(spec.weights === "softmax" ? softmaxWeights(rows, valid) : pairWeights(spec, rows, { scalar, valid })),
    overQuads(lines(added)),
  ]);
}

const softmaxOf = ({ weights }: PassSpec): boolean => weights === "softmax";

/** The exponentials against a running maximum; `fade` takes what was summed so far to the new one. */
function softmaxWeights(rows: number, valid: (j: number) => string): string[] {
  const every = range(rows);
  return [
    ...every.map((j) => `    s${j} = select(LOW, s${j}, ${valid(j)});`),
    `    let top = ${every.reduce((text, j) => `max(${text}, s${j})`, "highest")};`,
    "    let fade = exp(highest - top);",
    ...every.map((j) => `    let p${j} = exp(s${j} - top);`),
    "    highest = top;",
    `    total = total * fade + (${every.map((j) => `p${j}`).join(" + ")});`,
  ];
}

function pairWeights(spec: PassSpec, rows: number, { scalar, valid }: Pick<Access, "scalar" | "valid">): string[] {
  const { weights, ownScalars, otherScalars } = spec;
  if (weights === "softmax") return [];
  return range(rows).flatMap((j) => {
    const at = (name: string) => (name in ownScalars ? name : name in otherScalars ? scalar(name, j) : `${name}${j}`);
    return Object.entries(weights).map(
      ([name, text]) => `    let ${name}${j} = select(0.0, ${text(at)}, ${valid(j)});`,
    );
  });
}

/** How a block refers to quad `d` and to the scalars of its row `j`, and whether there is such a row. */
interface Access {
  vec(name: string, j: number): string;
  scalar(name: string, j: number): string;
  valid(j: number): string;
}

function access({ sharing, quads }: Layout): Access {
  const valid = (j: number) => `start + ${sharing === "plain" ? "" : "at + "}${j}u < args.tokens`;
  if (sharing === "shuffle") {
    return {
      vec: (name, j) => `subgroupShuffle(${name}_near[d], at + ${j}u)`,
      scalar: (name, j) => `subgroupShuffle(${name}_near, at + ${j}u)`,
      valid,
    };
  }
  if (sharing === "tile") {
    return {
      vec: (name, j) => `${name}_tile[(at + ${j}u) * ${quads}u + d]`,
      scalar: (name, j) => `${name}_tile[at + ${j}u]`,
      valid,
    };
  }
  return {
    vec: (name, j) => `${name}_quad(there${j}, d)`,
    scalar: (name, j) => `${name}_at(scalars + min(start + ${j}u, args.tokens - 1u))`,
    valid,
  };
}

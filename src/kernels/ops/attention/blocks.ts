import { range } from "../../range.ts";
import { prefersShuffleTiles } from "../../target.ts";
import { factorOf, ownQuad, type PassForm, type PassSpec, quadsOf } from "./pass.ts";

/**
 * For CPU drivers with 8 lanes, whose storage loads cost more than all arithmetic: a workgroup is one subgroup that owns
 * 16 rows (8 where rows are long). It takes the other side `8 columns` rows at a time: a lane owns `columns` of them while
 * products are summed, and its share of the features, quads lane, lane + 8, .., while weighted rows are. Every value is
 * loaded once by some lane and handed round by shuffles; all sums are named registers.
 */
interface Block {
  readonly rows: number;
  /** Rows of the other side that a lane owns. */
  readonly columns: number;
  /** Quads of a row that a lane owns. */
  readonly owned: number;
}

/** Shorter rows leave lanes without features, longer ones have more sums than registers: the walk is faster there. */
const QUADS = { least: 5, most: 64 } as const;

export function fitsBlocks(spec: PassSpec): boolean {
  const quads = quadsOf(spec);
  return prefersShuffleTiles(spec.target) && spec.dim % 4 === 0 && quads >= QUADS.least && quads <= QUADS.most;
}

/** More columns double the time to compile and are not faster: sums no longer stay in registers. */
function blockOf(spec: PassSpec): Block {
  const owned = 2 ** Math.ceil(Math.log2(Math.ceil(quadsOf(spec) / 8)));
  const forward = Object.keys(spec.products).length === 1;
  return { rows: owned > 4 ? 8 : 16, columns: forward && owned <= 4 ? 2 : 1, owned };
}

const AXES = ["x", "y", "z", "w"] as const;
const lines = (texts: readonly string[]): string => texts.join("\n");
const vectorOf = (columns: number): string => (columns === 1 ? "f32" : `vec${columns}f`);
const component = (name: string, columns: number, j: number): string => (columns === 1 ? name : `${name}.${AXES[j]}`);

export function blockForm(spec: PassSpec): PassForm {
  const block = blockOf(spec);
  return {
    enable: ["subgroups"],
    workgroup: 8,
    rows: block.rows,
    sizes: { rows: block.rows, subgroup: 8, owned: block.owned },
    functions: ACROSS,
    main: main(spec, block),
  };
}

/** Over the eight lanes, in a fixed order, the same in all. */
const ACROSS = `fn highest_across(v: f32, lane: u32) -> f32 {
  let a = max(v, subgroupShuffle(v, lane ^ 1u));
  let b = max(a, subgroupShuffle(a, lane ^ 2u));
  return max(b, subgroupShuffle(b, lane ^ 4u));
}
fn sum_across(v: f32, lane: u32) -> f32 {
  let a = v + subgroupShuffle(v, lane ^ 1u);
  let b = a + subgroupShuffle(a, lane ^ 2u);
  return b + subgroupShuffle(b, lane ^ 4u);
}`;

function main(spec: PassSpec, block: Block): string {
  const { rows, columns, owned } = block;
  const halves = range(rows / 8);
  const softmax = spec.weights === "softmax";
  const scalars = Object.keys(spec.ownScalars);
  return `${lines(halves.map((h) => `  let kept${h} = min(first + ${8 * h}u + lane, args.tokens - 1u); let own${h} = place(lane_head, kept${h});`))}
${lines(scalars.flatMap((name) => halves.map((h) => `  let ${name}_own${h} = ${name}_at(scalars + kept${h});`)))}
${lines(sumNames(spec, block).map((name) => `  var ${name} = vec4f(0.0);`))}
${softmax ? lines(range(rows).map((i) => `  var highest${i} = LOW; var total${i} = 0.0;`)) : ""}
  for (var start = 0u; start < args.tokens; start += ${8 * columns}u) {
${lines(range(columns).map((j) => `    let near${j} = start + ${8 * j}u + lane; let kept_near${j} = min(near${j}, args.tokens - 1u);`))}
${products(spec, block)}
${lines(spec.weights === "softmax" ? softmaxWeights(spec, block) : pairWeights(spec, block))}
    for (var turn = 0u; turn < args.subgroup; turn++) {
${lines(range(columns).map((j) => `      let there${j} = place(lane_head, min(start + ${8 * j}u + turn, args.tokens - 1u));`))}
${sums(spec, block)}
    }
  }
${
  softmax
    ? `  var totals = array<f32, ${rows}>(${range(rows)
        .map((i) => `sum_across(total${i}, lane)`)
        .join(", ")});
  var tops = array<f32, ${rows}>(${range(rows)
    .map((i) => `highest${i}`)
    .join(", ")});`
    : ""
}
${lines(Object.keys(spec.sums).map((name) => `  var ${name}_sums = array<vec4f, ${rows * owned}>(${sumNamesOf(name, block).join(", ")});`))}
  for (var i = 0u; i < args.rows; i++) {
    let row = first + i;
    if (row >= args.tokens) { break; }
    let base = place(lane_head, row);
    for (var e = 0u; e < args.owned; e++) {
      let d = lane + 8u * e;
      if (d >= args.quads) { break; }
${lines(Object.entries(spec.sums).map(([name, sum]) => `      ${name}_put(base, d, ${name}_sums[i * args.owned + e]${factorOf(spec, sum, "totals[i]")});`))}
    }
${spec.logSum ? "    if (lane == 0u) { lse_set(scalars + row, tops[i] + log(totals[i])); }" : ""}
  }`;
}

const sumNamesOf = (name: string, { rows, owned }: Block): string[] =>
  range(rows).flatMap((i) => range(owned).map((e) => `${name}_${i}_${e}`));

const sumNames = (spec: PassSpec, block: Block): string[] =>
  Object.keys(spec.sums).flatMap((name) => sumNamesOf(name, block));

/** The products of the own rows with `columns` other rows a lane, a quad of features at a time. */
function products(spec: PassSpec, { rows, columns }: Block): string {
  const halves = range(rows / 8);
  const every = Object.entries(spec.products);
  const vector = vectorOf(columns);
  const own = Object.keys(spec.own);
  const others = Object.keys(spec.other).filter((name) => every.some(([, [, other]]) => other === name));
  const step = every.flatMap(([name, [mine, other]]) =>
    range(rows).flatMap((i) =>
      AXES.map((a) => {
        const shared = `subgroupShuffle(${mine}${i >> 3}.${a}, ${i & 7}u)`;
        return `      ${name}${i} = fma(${vector}(${shared}), ${other}_${a}, ${name}${i});`;
      }),
    ),
  );
  return `${lines(range(columns).map((j) => `    let at${j} = place(lane_head, kept_near${j});`))}
${lines(every.flatMap(([name]) => range(rows).map((i) => `    var ${name}${i} = ${vector}(0.0);`)))}
    for (var d = 0u; d < args.quads; d++) {
${lines(own.flatMap((name) => halves.map((h) => `      let ${name}${h} = ${ownQuad(spec, name, `own${h}`, "d")};`)))}
${lines(others.flatMap((name) => range(columns).map((j) => `      let ${name}_row${j} = ${name}_quad(at${j}, d);`)))}
${lines(
  others.flatMap((name) =>
    AXES.map(
      (a) =>
        `      let ${name}_${a} = ${vector}(${range(columns)
          .map((j) => `${name}_row${j}.${a}`)
          .join(", ")});`,
    ),
  ),
)}
${lines(step)}
    }`;
}

/** True where a lane's row of the other side exists, for each of its columns. */
function validity(columns: number): string {
  const each = range(columns).map((j) => `near${j} < args.tokens`);
  return columns === 1 ? `    let valid = ${each[0]};` : `    let valid = vec${columns}<bool>(${each.join(", ")});`;
}

/** The exponentials against each row's running maximum; what was summed so far is taken to the new one. */
function softmaxWeights(spec: PassSpec, block: Block): string[] {
  const { rows, columns, owned } = block;
  const vector = vectorOf(columns);
  const fold = (name: string, join: (a: string, b: string) => string) =>
    range(columns)
      .map((j) => component(name, columns, j))
      .reduce(join);
  return [
    validity(columns),
    ...range(rows).flatMap((i) => [
      `    let masked${i} = select(${vector}(LOW), s${i}, valid);`,
      `    let top${i} = max(highest${i}, highest_across(${fold(`masked${i}`, (a, b) => `max(${a}, ${b})`)}, lane));`,
      `    let fade${i} = exp(highest${i} - top${i});`,
      `    let p${i} = exp(masked${i} - ${vector}(top${i}));`,
      `    highest${i} = top${i};`,
      `    total${i} = total${i} * fade${i} + (${fold(`p${i}`, (a, b) => `${a} + ${b}`)});`,
      ...Object.keys(spec.sums).flatMap((name) => range(owned).map((e) => `    ${name}_${i}_${e} *= fade${i};`)),
    ]),
  ];
}

function pairWeights(spec: PassSpec, { rows, columns }: Block): string[] {
  const { weights, ownScalars, otherScalars } = spec;
  if (weights === "softmax") return [];
  const vector = vectorOf(columns);
  const near = Object.keys(otherScalars).map((name) => {
    const each = range(columns).map((j) => `${name}_at(scalars + kept_near${j})`);
    return `    let ${name}_near = ${vector}(${each.join(", ")});`;
  });
  const each = range(rows).flatMap((i) => {
    const at = (name: string) => {
      if (name in ownScalars) return `subgroupShuffle(${name}_own${i >> 3}, ${i & 7}u)`;
      return name in otherScalars ? `${name}_near` : `${name}${i}`;
    };
    return Object.entries(weights).map(
      ([name, text]) => `    let ${name}${i} = select(${vector}(0.0), ${text(at)}, valid);`,
    );
  });
  return [validity(columns), ...near, ...each];
}

/** Adds the other rows at `there{j}` times their weights, which lane `turn` holds, to the own rows' sums. */
function sums(spec: PassSpec, { rows, columns, owned }: Block): string {
  const all = Object.entries(spec.sums);
  const loads = all.flatMap(([name, { rows: source }]) =>
    range(columns).flatMap((j) =>
      range(owned).map(
        (e) => `      let ${name}_part${j}_${e} = ${source}_quad(there${j}, min(lane + ${8 * e}u, args.quads - 1u));`,
      ),
    ),
  );
  const adds = all.flatMap(([name, { weight }]) =>
    range(rows).flatMap((i) =>
      range(columns).flatMap((j) => [
        `      let ${name}_w${i}_${j} = vec4f(subgroupShuffle(${component(`${weight}${i}`, columns, j)}, turn));`,
        ...range(owned).map(
          (e) => `      ${name}_${i}_${e} = fma(${name}_w${i}_${j}, ${name}_part${j}_${e}, ${name}_${i}_${e});`,
        ),
      ]),
    ),
  );
  return lines([...loads, ...adds]);
}

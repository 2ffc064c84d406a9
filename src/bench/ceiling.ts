import { randomFloats } from "../checks/draw.ts";
import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { lowerContraction } from "../kernels/ops/contraction/contract.ts";
import type { Contraction } from "../kernels/ops/contraction/contraction.ts";
import { range } from "../kernels/range.ts";
import { read, shader, write } from "../kernels/shader/shader.ts";
import type { Target } from "../kernels/target.ts";
import { FREE } from "../kernels/trace/cost.ts";
import { Graph } from "../kernels/trace/graph.ts";
import { type Dispatch, defineOp, type LowerCall, NO_MACS, type Value } from "../kernels/trace/op.ts";
import { interleaved, kernelTime, type Rounds, spreadOf } from "./measure.ts";

/** One way to multiply two square matrices, and how fast it was. */
export interface MatmulFigure {
  readonly variant: string;
  readonly size: number;
  readonly milliseconds: number;
  readonly gflops: number;
}

/** Enough for a figure that others are compared with. */
export const QUICK_ROUNDS: Rounds = { least: 3, most: 9, budget: 2000 };

/** What this adapter reaches at best with our own matrix products: the measure of every other kernel. */
export interface Ceiling {
  readonly best: MatmulFigure;
  /** The scalar register tile: what a straightforward kernel without subgroups or shared memory reaches. */
  readonly scalar: MatmulFigure;
  readonly ratio: number;
  readonly all: readonly MatmulFigure[];
}

interface Variant {
  readonly name: string;
  readonly size: number;
  lower(
    call: Pick<LowerCall<string, unknown>, "target" | "scratch">,
    a: Value,
    b: Value,
    out: Value,
  ): readonly Dispatch[];
}

const KINDS = ["gather", "scatter", "pair"] as const;

/** All our kernels, or those alone that we choose on this adapter: seconds instead of half a minute on a CPU. */
type Families = "all" | "own";

/** How the adapter's own description is bent so that `lowerContraction` chooses each family of kernels. */
function families(target: Target, which: Families): { readonly [name: string]: Partial<Target> } {
  if (which === "own") return { own: {} };
  return {
    own: {},
    ...(target.software ? { workgroup: { software: false } } : {}),
    plain: { software: true, subgroupSize: null },
  };
}

function contraction(name: string, size: number, kind: Contraction["kind"], change: Partial<Target>): Variant {
  const image = (value: Value): Value => ({ ...value, shape: [1, 1, size, size] });
  const weight = (value: Value): Value => ({ ...value, shape: [size, 1, 1, size] });
  return {
    name,
    size,
    lower({ target, scratch }, a, b, out) {
      const roles = {
        gather: { x: image(a), weight: weight(b), y: image(out) },
        scatter: { y: image(a), weight: weight(b), x: image(out) },
        pair: { y: image(a), x: image(b), weight: weight(out) },
      }[kind];
      return lowerContraction({
        kind,
        ...roles,
        stride: 1,
        padding: 0,
        dilation: 1,
        groups: 1,
        taps: { r0: 0, r1: 1, s0: 0, s1: 1 },
        epilogue: {},
        target: { ...target, ...change },
        scratch,
      });
    },
  };
}

const SCALAR = "scalar register tile 8x4";
const ROWS = 8;
/** `a [n, n]` times `b [n, n]`, eight rows by four columns in the registers of each invocation, nothing shared. */
function scalarTile(size: number): Variant {
  const rows = range(ROWS);
  const axes = ["x", "y", "z", "w"];
  return {
    name: SCALAR,
    size,
    lower: ({ target }, a, b, out) => [
      shader({
        label: "scalar register tile",
        target,
        tensors: { a: read(a, true), b: read(b, true), out: write(out, true) },
        sizes: { n4: size / 4 },
        workgroupSize: [8, 8],
        workgroups: [size / 32, size / 64, 1],
        main: `  let m = id.y * ${ROWS}u; let n = id.x;
${rows.map((i) => `  var s${i} = vec4f(0.0);`).join("\n")}
  for (var k = 0u; k < args.n4; k++) {
${axes.map((_, j) => `    let b${j} = b_at((4u * k + ${j}u) * args.n4 + n);`).join("\n")}
${rows
  .flatMap((i) => [
    `    let a${i} = a_at((m + ${i}u) * args.n4 + k);`,
    ...axes.map((axis, j) => `    s${i} = fma(vec4f(a${i}.${axis}), b${j}, s${i});`),
  ])
  .join("\n")}
  }
${rows.map((i) => `  out_set((m + ${i}u) * args.n4 + n, s${i});`).join("\n")}`,
      }),
    ],
  };
}

const matmulOf = (variant: Variant) =>
  defineOp<unknown>()({
    name: "matmul",
    inputs: ["a", "b"],
    shape: ({ a }) => a,
    lower: (call) => variant.lower(call, call.inputs.a, call.inputs.b, call.out),
    macs: NO_MACS,
    cost: FREE,
    derivative: "a bench only",
  });

/** The fastest product again, to be timed in turns with what it is compared with. */
export async function recompile(device: Device, { variant, size }: MatmulFigure): Promise<Program> {
  const found = variantsOf(device, size, "all").find(({ name }) => name === variant);
  if (!found) throw new Error(`there is no matrix product ${variant}`);
  return compile(device, found);
}

/** The ceiling measured again beside whatever is being timed: what slows one on a shared machine slows the other. */
export interface Gauge {
  /** What is timed, with a sample before it as long as samples take no more than a quarter of its own time. */
  beside(once: (index: number) => Promise<number>): (index: number) => Promise<number>;
  /** The median of the samples so far. */
  gflops(): number;
  destroy(): void;
}

export async function openGauge(device: Device, { best }: Ceiling): Promise<Gauge> {
  const program = await recompile(device, best);
  const time = kernelTime(device, program, () => true);
  const samples: number[] = [];
  const sample = async () => {
    const start = performance.now();
    samples.push(await time());
    return performance.now() - start;
  };
  await time();
  return {
    beside(once) {
      let [own, others] = [0, 0];
      return async (index) => {
        if (own <= others / 4) own += await sample();
        const milliseconds = await once(index);
        others += milliseconds;
        return milliseconds;
      };
    },
    gflops: () => matmulFlops(best.size) / spreadOf(samples).median / 1e6,
    destroy: () => program.destroy(),
  };
}

export const matmulFlops = (size: number): number => 2 * size ** 3;

async function compile(device: Device, variant: Variant): Promise<Program> {
  const graph = new Graph();
  const shape = [variant.size, variant.size];
  const out = graph.apply(matmulOf(variant), { a: graph.input("a", shape), b: graph.input("b", shape) }, {});
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep: [out] });
  program.write("a", randomFloats(1, variant.size ** 2));
  program.write("b", randomFloats(2, variant.size ** 2));
  return program;
}

/** Slow variants would take minutes: after one look only the fastest are measured well, and go on to larger sizes. */
const FINALISTS = 3;
const LOOK: Rounds = { least: 1, most: 1, budget: 0 };

/** Measures every variant of our matrix product, in turns, and the scalar register tile beside them. */
export async function measureCeiling(device: Device, rounds: Rounds, which: Families): Promise<Ceiling> {
  const sizes = device.target.software ? [512] : [512, 2048, 4096];
  const figures: MatmulFigure[] = [];
  let names = variantsOf(device, 512, which).map(({ name }) => name);
  for (const size of sizes) {
    const variants = variantsOf(device, size, which).filter(({ name }) => names.includes(name));
    const looks = await measure(device, variants, LOOK);
    const ranked = looks.sort((one, other) => other.gflops - one.gflops).map(({ variant }) => variant);
    names = [...new Set([...ranked.slice(0, FINALISTS), SCALAR])];
    figures.push(...looks.filter(({ variant }) => !names.includes(variant)));
    figures.push(
      ...(await measure(
        device,
        variants.filter(({ name }) => names.includes(name)),
        rounds,
      )),
    );
  }
  const scalars = figures.filter(({ variant }) => variant === SCALAR);
  const [best] = [...figures].filter((figure) => !scalars.includes(figure)).sort((a, b) => b.gflops - a.gflops);
  const [scalar] = [...scalars].sort((a, b) => b.gflops - a.gflops);
  if (!best || !scalar) throw new Error("no matrix product was measured");
  return { best, scalar, ratio: best.gflops / scalar.gflops, all: figures };
}

function variantsOf(device: Device, size: number, which: Families): Variant[] {
  return [
    scalarTile(size),
    ...Object.entries(families(device.target, which)).flatMap(([family, change]) =>
      KINDS.map((kind) => contraction(`${kind} ${family}`, size, kind, change)),
    ),
  ];
}

async function measure(device: Device, variants: readonly Variant[], rounds: Rounds): Promise<MatmulFigure[]> {
  const programs: Program[] = [];
  try {
    for (const variant of variants) programs.push(await compile(device, variant));
    const samples = await interleaved(
      programs.map((program) => kernelTime(device, program, () => true)),
      rounds,
    );
    return variants.map(({ name, size }, i) => {
      const milliseconds = spreadOf(samples[i] ?? []).median;
      return { variant: name, size, milliseconds, gflops: matmulFlops(size) / milliseconds / 1e6 };
    });
  } finally {
    for (const program of programs) program.destroy();
  }
}

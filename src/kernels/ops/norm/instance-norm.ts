import { ShapeError } from "../../../errors.ts";
import { allWide, elementType, elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, type LowerCall, NO_MACS, type Value } from "../../trace/op.ts";
import { nhwc, type Shape, sameShape } from "../../trace/shape.ts";
import {
  gradientSumsOf,
  momentsOfElement,
  normalised,
  type SampleNorm,
  sampleChunks,
  sampleNormDerivative,
} from "./sample-norm.ts";

interface Eps {
  readonly eps: number;
}

/** Statistics are `[n, 2, c]`: mean and biased variance of each channel. */
function normOf(label: string, x: Value, statistics: Value, target: Target, { eps }: Eps): SampleNorm {
  const { n, h, w, c } = nhwc("instanceNorm", "x", x.shape);
  const wide = allWide(x);
  return {
    ...{ label, target, samples: n, pixels: h * w, channels: c, wide, statistics, wideStatistics: wide },
    moments: `  let centre = statistics_at(2u * sample * args.columns + column);
  let rate = T(1.0) / sqrt(statistics_at((2u * sample + 1u) * args.columns + column) + args.eps);`,
    sizes: {},
    floats: { eps },
  };
}

/** Declares the place of invocation i: its chunk of one sample and column, and the first element of it. */
const PLACE = `  let column = i % args.columns;
  let chunk = (i / args.columns) % args.chunks;
  let sample = i / (args.columns * args.chunks);
  let rows = args.base + select(0u, 1u, chunk < args.rest);
  let start = (sample * args.pixels + chunk) * args.columns + column;
  let stride = args.chunks * args.columns;`;

/** Mean and squared deviations of each chunk, joined by Chan's formula into mean and biased variance `[n, 2, c]`. */
function statisticsOf(x: Value, statistics: Value, { target, scratch }: Lowering): Dispatch[] {
  const { n: samples, h, w, c: channels } = nhwc("instanceNorm", "x", x.shape);
  const pixels = h * w;
  const wide = allWide(x);
  const columns = wide ? channels / 4 : channels;
  const { chunks, base, rest } = sampleChunks(pixels, samples * columns, target);
  const partials = scratch([samples, chunks, 2, channels]);
  const type = elementType(wide);
  return [
    perInvocation({
      label: "instanceNorm statistics",
      target,
      count: samples * chunks * columns,
      type,
      tensors: { x: read(x, wide), partials: write(partials, wide) },
      sizes: { columns, chunks, base, rest, pixels },
      body: `${PLACE}
  var mean = x_at(start);
  var squares = T(0.0);
  for (var row = 1u; row < rows; row++) {
    let apart = x_at(start + row * stride) - mean;
    let share = 1.0 / f32(row + 1u);
    mean += apart * share;
    squares += apart * apart * (f32(row) * share);
  }
  let at = 2u * (sample * args.chunks + chunk) * args.columns + column;
  partials_set(at, mean);
  partials_set(at + args.columns, squares);`,
    }),
    perInvocation({
      label: "instanceNorm statistics join",
      target,
      count: samples * columns,
      type,
      tensors: { partials: read(partials, wide), statistics: write(statistics, wide) },
      sizes: { columns, chunks, base, rest, pixels },
      body: `  let column = i % args.columns;
  let first = 2u * (i / args.columns) * args.chunks * args.columns + column;
  var mean = partials_at(first);
  var squares = partials_at(first + args.columns);
  var rows = f32(args.base + select(0u, 1u, 0u < args.rest));
  for (var chunk = 1u; chunk < args.chunks; chunk++) {
    let at = first + 2u * chunk * args.columns;
    let more = f32(args.base + select(0u, 1u, chunk < args.rest));
    let apart = partials_at(at) - mean;
    let share = more / (rows + more);
    mean += apart * share;
    squares += partials_at(at + args.columns) + apart * apart * (rows * share);
    rows += more;
  }
  let to = 2u * (i / args.columns) * args.columns + column;
  statistics_set(to, mean);
  statistics_set(to + args.columns, squares / f32(args.pixels));`,
    }),
  ];
}

type Lowering = Pick<LowerCall<string, Eps>, "target" | "scratch">;

function normShape(x: Shape, weight: Shape, bias: Shape): Shape {
  const { h, w, c } = nhwc("instanceNorm", "x", x);
  if (!sameShape(weight, [c]) || !sameShape(bias, [c]) || h * w < 1) {
    throw new ShapeError(
      `instanceNorm: x [${x}] does not fit weight [${weight}] and bias [${bias}], which must be [${c}]`,
    );
  }
  return x;
}

/** `[n, c]` sums over the pixels of `grad`, and as extra of `grad` times normalised `x`. */
const instanceNormSums = defineOp<Eps>()({
  name: "instanceNormSums",
  inputs: ["grad", "x", "statistics"],
  shape: ({ x: [n = 1, , , c = 1] }) => [n, c],
  extra: ({ x: [n = 1, , , c = 1] }) => [[n, c]],
  lower({ inputs: { grad, x, statistics }, out, extra: [scaled = out], attrs, target, scratch }) {
    const norm = normOf("instanceNormSums", x, statistics, target, attrs);
    return gradientSumsOf(norm, { grad, x, outs: [out, scaled], scratch });
  },
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

const instanceNormGrad = defineOp<Eps>()({
  name: "instanceNormGrad",
  inputs: ["grad", "x", "statistics", "weight", "plain", "scaled"],
  shape: ({ x }) => x,
  lower({ inputs: { grad, x, statistics, weight, plain, scaled }, out, attrs, target }) {
    const norm = normOf("instanceNormGrad", x, statistics, target, attrs);
    const { wide, pixels, channels, floats } = norm;
    return [
      elementwise({
        label: "instanceNormGrad",
        target,
        out,
        wide,
        tensors: {
          grad: read(grad, wide),
          x: read(x, wide),
          statistics: read(statistics, wide),
          weight: read(weight, wide),
          plain: read(plain, wide),
          scaled: read(scaled, wide),
        },
        sizes: { columns: wide ? channels / 4 : channels, pixels },
        floats,
        body: `${momentsOfElement(norm)}
  let at = sample * args.columns + column;
  let normal = (x_at(i) - centre) * rate;
  let joint = (plain_at(at) + normal * scaled_at(at)) / f32(args.pixels);
  return weight_at(column) * rate * (grad_at(i) - joint);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/**
 * Normalises each channel of each sample of `x [n, h, w, c]` over its pixels (biased variance), then `weight` and `bias`
 * `[c]`. The same in training and evaluation. The extra output `[n, 2, c]` holds mean and variance.
 */
export const instanceNorm = defineOp<Eps>()({
  name: "instanceNorm",
  inputs: ["x", "weight", "bias"],
  shape: ({ x, weight, bias }) => normShape(x, weight, bias),
  extra: ({ x: [n = 1, , , c = 1] }) => [[n, 2, c]],
  lower({ inputs: { x, weight, bias }, out, extra: [statistics = out], attrs, target, scratch }) {
    const norm = normOf("instanceNorm", x, statistics, target, attrs);
    return [...statisticsOf(x, statistics, { target, scratch }), normalised(norm, { x, weight, bias, out })];
  },
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(4, "always") },
  half: "computes",
  derivative: sampleNormDerivative(instanceNormSums, instanceNormGrad),
});

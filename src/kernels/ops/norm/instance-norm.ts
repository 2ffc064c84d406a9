import { ShapeError } from "../../../errors.ts";
import { once } from "../../once.ts";
import { type Chunks, chunksOf, foldSums } from "../../shader/chunks.ts";
import { allWide, elementType, elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import { type Target, usefulParts } from "../../target.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, type LowerCall, NO_MACS, type Value } from "../../trace/op.ts";
import { nhwc, type Shape, sameShape } from "../../trace/shape.ts";
import { reduceSum } from "../reduce/reduce.ts";

interface Eps {
  readonly eps: number;
}

/** Every sample and channel is normalised over its pixels; as kernels count: columns of four channels when wide. */
interface Extents extends Chunks {
  readonly samples: number;
  readonly pixels: number;
  readonly channels: number;
  readonly columns: number;
  readonly wide: boolean;
}

/** One invocation joins the chunks of a channel, so there are not too many of them. */
const MOST_CHUNKS = 128;

function extentsOf(x: Value, target: Target): Extents {
  const { n, h, w, c } = nhwc("instanceNorm", "x", x.shape);
  const wide = allWide(x);
  const columns = wide ? c / 4 : c;
  const chunks = chunksOf(h * w, n * columns, target, Math.min(MOST_CHUNKS, usefulParts(target)));
  return { samples: n, pixels: h * w, channels: c, columns, wide, ...chunks };
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
  const { samples, pixels, channels, columns, wide, chunks, base, rest } = extentsOf(x, target);
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

/** Declares `column`, `at` (place of its sample's sums), `centre` and `rate` for element i. */
const MOMENTS = `  let column = i % args.columns;
  let sample = i / (args.columns * args.pixels);
  let centre = statistics_at(2u * sample * args.columns + column);
  let rate = T(1.0) / sqrt(statistics_at((2u * sample + 1u) * args.columns + column) + args.eps);`;

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
  lower({ inputs: { grad, x, statistics }, out, extra: [scaled = out], attrs: { eps }, target, scratch }) {
    const { samples, pixels, channels, columns, wide, chunks, base, rest } = extentsOf(x, target);
    const partials = scratch([samples, chunks, 2, channels]);
    const sums = perInvocation({
      label: "instanceNormSums",
      target,
      count: samples * chunks * columns,
      type: elementType(wide),
      tensors: {
        grad: read(grad, wide),
        x: read(x, wide),
        statistics: read(statistics, wide),
        partials: write(partials, wide),
      },
      sizes: { columns, chunks, base, rest, pixels },
      floats: { eps },
      body: `${PLACE}
  let centre = statistics_at(2u * sample * args.columns + column);
  let rate = T(1.0) / sqrt(statistics_at((2u * sample + 1u) * args.columns + column) + args.eps);
  var plain = T(0.0);
  var scaled = T(0.0);
  for (var row = 0u; row < rows; row++) {
    let at = start + row * stride;
    let g = grad_at(at);
    plain += g;
    scaled += g * ((x_at(at) - centre) * rate);
  }
  let to = 2u * (sample * args.chunks + chunk) * args.columns + column;
  partials_set(to, plain);
  partials_set(to + args.columns, scaled);`,
    });
    const label = "instanceNormSums fold";
    const fold = { label, target, scratch, partials, parts: chunks, outer: samples, columns: channels };
    return [sums, ...foldSums({ ...fold, outs: [out, scaled] })];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: FIRST_ORDER,
});

const instanceNormGrad = defineOp<Eps>()({
  name: "instanceNormGrad",
  inputs: ["grad", "x", "statistics", "weight", "plain", "scaled"],
  shape: ({ x }) => x,
  lower({ inputs: { grad, x, statistics, weight, plain, scaled }, out, attrs: { eps }, target }) {
    const { pixels, columns, wide } = extentsOf(x, target);
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
        sizes: { columns, pixels },
        floats: { eps },
        body: `${MOMENTS}
  let at = sample * args.columns + column;
  let normal = (x_at(i) - centre) * rate;
  let joint = (plain_at(at) + normal * scaled_at(at)) / f32(args.pixels);
  return weight_at(column) * rate * (grad_at(i) - joint);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
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
  lower({ inputs: { x, weight, bias }, out, extra: [statistics = out], attrs: { eps }, target, scratch }) {
    const { pixels, columns, wide } = extentsOf(x, target);
    return [
      ...statisticsOf(x, statistics, { target, scratch }),
      elementwise({
        label: "instanceNorm",
        target,
        out,
        wide,
        tensors: {
          x: read(x, wide),
          statistics: read(statistics, wide),
          weight: read(weight, wide),
          bias: read(bias, wide),
        },
        sizes: { columns, pixels },
        floats: { eps },
        body: `${MOMENTS}
  return (x_at(i) - centre) * (rate * weight_at(column)) + bias_at(column);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(4, "always") },
  derivative: {
    saves: ["x", "weight", "extra0"],
    backward(grad, { x, weight, extra0: statistics }, { attrs, exec }) {
      const sums = once(() => {
        const [plain, scaled = plain] = exec.applyAll(instanceNormSums, { grad, x, statistics }, attrs);
        return { plain, scaled };
      });
      const total = (sum: Value) =>
        exec.view(exec.apply(reduceSum, { x: sum }, { axes: [0], factor: 1 }), weight.shape);
      return {
        x: () => exec.apply(instanceNormGrad, { grad, x, statistics, weight, ...sums() }, attrs),
        weight: () => total(sums().scaled),
        bias: () => total(sums().plain),
      };
    },
  },
});

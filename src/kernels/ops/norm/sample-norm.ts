import { once } from "../../once.ts";
import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { elementType, elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import { type Target, usefulParts } from "../../target.ts";
import type { Derivative, Dispatch, LowerCall, Op, Value } from "../../trace/op.ts";
import { reduceSum } from "../reduce/reduce.ts";

/**
 * What norms over each sample by itself have in common, whatever is normalised together in a sample: a channel's pixels
 * (instance norm) or those of a group of channels (group norm).
 */
export interface SampleNorm {
  readonly label: string;
  readonly target: Target;
  readonly samples: number;
  readonly pixels: number;
  readonly channels: number;
  /** Whether kernels take four channels at a time. */
  readonly wide: boolean;
  readonly statistics: Value;
  /** Whether the statistics are read four at a time too. */
  readonly wideStatistics: boolean;
  /** WGSL that declares `centre` and `rate` (T) for `column` of `sample`. */
  readonly moments: string;
  /** What `moments` reads of `args` beside `columns` and `pixels`. */
  readonly sizes: { readonly [name: string]: number };
  readonly floats: { readonly [name: string]: number };
}

/** One invocation joins the chunks of a column, so there are not too many of them. */
const MOST_CHUNKS = 128;

/** How the pixels of each sample are dealt out where `columns` of every sample are summed side by side. */
export const sampleChunks = (pixels: number, columns: number, target: Target) =>
  chunksOf(pixels, columns, target, Math.min(MOST_CHUNKS, usefulParts(target)));

const columnsOf = ({ channels, wide }: SampleNorm): number => (wide ? channels / 4 : channels);

/** WGSL: where element i lies, and its moments. */
export const momentsOfElement = ({ moments }: Pick<SampleNorm, "moments">): string => `  let column = i % args.columns;
  let sample = i / (args.columns * args.pixels);
${moments}`;

/** `(x - centre) rate weight + bias`. */
export function normalised(
  norm: SampleNorm,
  { x, weight, bias, out }: { readonly x: Value; readonly weight: Value; readonly bias: Value; readonly out: Value },
): Dispatch {
  const { label, target, wide, statistics, wideStatistics, pixels, floats } = norm;
  return elementwise({
    label,
    target,
    out,
    wide,
    tensors: {
      x: read(x, wide),
      statistics: read(statistics, wideStatistics),
      weight: read(weight, wide),
      bias: read(bias, wide),
    },
    sizes: { columns: columnsOf(norm), pixels, ...norm.sizes },
    floats,
    body: `${momentsOfElement(norm)}
  return (x_at(i) - centre) * (rate * weight_at(column)) + bias_at(column);`,
  });
}

/** `[n, c]` sums over the pixels of `grad` (first of `outs`) and of `grad` times normalised `x`. */
export function gradientSumsOf(
  norm: SampleNorm,
  given: {
    readonly grad: Value;
    readonly x: Value;
    readonly outs: readonly [plain: Value, scaled: Value];
    readonly scratch: LowerCall<string, unknown>["scratch"];
  },
): Dispatch[] {
  const { label, target, wide, samples, pixels, channels, statistics, wideStatistics } = norm;
  const { grad, x, outs, scratch } = given;
  const columns = columnsOf(norm);
  const { chunks, base, rest } = sampleChunks(pixels, samples * columns, target);
  const partials = scratch([samples, chunks, 2, channels]);
  const sums = perInvocation({
    label,
    target,
    count: samples * chunks * columns,
    type: elementType(wide),
    tensors: {
      grad: read(grad, wide),
      x: read(x, wide),
      statistics: read(statistics, wideStatistics),
      partials: write(partials, wide),
    },
    sizes: { columns, chunks, base, rest, pixels, ...norm.sizes },
    floats: norm.floats,
    body: `  let column = i % args.columns;
  let chunk = (i / args.columns) % args.chunks;
  let sample = i / (args.columns * args.chunks);
  let rows = args.base + select(0u, 1u, chunk < args.rest);
${norm.moments}
  var plain = T(0.0);
  var scaled = T(0.0);
  // Blocks of 32 pixels, so that rounding does not grow with the number of pixels.
  for (var first = 0u; first < rows; first += 32u) {
    var blockPlain = T(0.0);
    var blockScaled = T(0.0);
    for (var turn = first; turn < min(first + 32u, rows); turn++) {
      let at = (sample * args.pixels + chunk + turn * args.chunks) * args.columns + column;
      let g = grad_at(at);
      blockPlain += g;
      blockScaled += g * ((x_at(at) - centre) * rate);
    }
    plain += blockPlain;
    scaled += blockScaled;
  }
  let to = 2u * (sample * args.chunks + chunk) * args.columns + column;
  partials_set(to, plain);
  partials_set(to + args.columns, scaled);`,
  });
  const fold = { label, target, scratch, partials, parts: chunks, outer: samples, columns: channels };
  return [sums, ...foldSums({ ...fold, outs })];
}

type SumInputs = "grad" | "x" | "statistics";
type GradInputs = SumInputs | "weight" | "plain" | "scaled";

/** The derivative of a norm whose extra output holds its statistics, by the op of its sums and that of its input's gradient. */
export function sampleNormDerivative<A>(
  sumsOp: Op<SumInputs, A>,
  gradOp: Op<GradInputs, A>,
): Derivative<"x" | "weight" | "bias", A, "x" | "weight" | "extra0"> {
  return {
    saves: ["x", "weight", "extra0"],
    backward(grad, { x, weight, extra0: statistics }, { attrs, exec }) {
      const sums = once(() => {
        const [plain, scaled = plain] = exec.applyAll(sumsOp, { grad, x, statistics }, attrs);
        return { plain, scaled };
      });
      const total = (sum: Value) =>
        exec.view(exec.apply(reduceSum, { x: sum }, { axes: [0], factor: 1 }), weight.shape);
      return {
        x: () => exec.apply(gradOp, { grad, x, statistics, weight, ...sums() }, attrs),
        weight: () => total(sums().scaled),
        bias: () => total(sums().plain),
      };
    },
  };
}

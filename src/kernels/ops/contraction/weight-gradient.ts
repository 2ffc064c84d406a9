import { ShapeError } from "../../../errors.ts";
import { ACTIVATIONS } from "../../shader/activation.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { type Activation, type Dispatch, defineOp, FIRST_ORDER, type LowerCall } from "../../trace/op.ts";
import { type Shape, sameShape } from "../../trace/shape.ts";
import { normaliseChannels } from "../norm/kernels.ts";
import { reduceDispatches, whole } from "../reduce/reduction.ts";
import { type Conv2dAttrs, contractionOf, lowerContraction } from "./contract.ts";
import { type Contraction, contractionMacs, type Prologue } from "./contraction.ts";
import { takesPairExtras, tiledPair } from "./tiled-pair.ts";

/** Of a gradient: the shape that it has. */
export type LikeConv = Conv2dAttrs & { readonly like: Shape };

/** What a pass gives a weight's gradient to do beside it. */
interface Extras {
  /** What stands between `x` and the convolution: that one's result is then read by nobody else. */
  readonly activation?: Activation;
  /** Whether there is a further output, `[k]`: the sum of `grad` over its pixels, a bias's gradient. */
  readonly sums?: true;
}

/** Gradient of a convolution's weight: `[k, r, s, c]` of `grad [n, oh, ow, k]` and `x [n, h, w, c]`. */
export const conv2dGradWeight = defineOp<LikeConv & Extras>()({
  name: "conv2dGradWeight",
  inputs: ["grad", "x"],
  shape: (_, { like }) => like,
  extra: (_, { like, sums }) => extraShapes(like, sums),
  lower: (call) => lowerGradient(call, { norm: null, activation: call.attrs.activation ?? null }),
  macs: ({ grad }, out) => contractionMacs(grad, out),
  cost: { macs: "weights" },
  half: "reads",
  derivative: FIRST_ORDER,
});

/**
 * As {@link conv2dGradWeight} where the convolution read `activation(norm of x)`, a batch norm by `statistics` [3, c] as
 * batchNormTrain makes them: the norm's result is made of `x` as it is read.
 */
export const conv2dGradWeightOfNorm = defineOp<LikeConv & Extras & { readonly eps: number }>()({
  name: "conv2dGradWeightOfNorm",
  inputs: ["grad", "x", "statistics", "weight", "bias"],
  shape({ x, statistics, weight, bias }, { like }) {
    const c = x.slice(-1);
    if (!sameShape(statistics, [3, ...c]) || !sameShape(weight, c) || !sameShape(bias, c)) {
      throw new ShapeError(
        `conv2dGradWeightOfNorm: statistics [${statistics}], weight [${weight}] and bias [${bias}] do not fit x [${x}]`,
      );
    }
    return like;
  },
  extra: (_, { like, sums }) => extraShapes(like, sums),
  lower(call) {
    const { statistics, weight, bias } = call.inputs;
    const { eps, activation = null } = call.attrs;
    return lowerGradient(call, { norm: { statistics, weight, bias, eps }, activation });
  },
  macs: ({ grad }, out) => contractionMacs(grad, out),
  cost: { macs: "weights" },
  half: "reads",
  derivative: "it is made by a pass that runs after differentiation",
});

const extraShapes = ([k = 1]: Shape, sums: true | undefined): readonly Shape[] => (sums ? [[k]] : []);

function lowerGradient(call: LowerCall<"grad" | "x", LikeConv & Extras>, prologue: Prologue): readonly Dispatch[] {
  const { x, grad } = call.inputs;
  const [sums] = call.extra;
  const given = contractionOf(call, { kind: "pair", x, weight: call.out, y: grad }, call.attrs);
  if (takesPairExtras(call.target, call.attrs.groups, call.out.shape)) return tiledPair({ ...given, prologue, sums });
  return [...apart(given, prologue), ...(sums ? summed(given, sums) : [])];
}

/** The pair behind a step that makes what it reads. */
function apart(given: Contraction, { norm, activation }: Prologue): readonly Dispatch[] {
  if (!norm && !activation) return lowerContraction(given);
  const { x, target, scratch } = given;
  const made = scratch(x.shape);
  const wide = allWide(x);
  const maker = norm
    ? normaliseChannels({
        ...{ label: "batchNormBy", target, wide, x, weight: norm.weight, bias: norm.bias, out: made },
        moments: { kind: "joint", statistics: norm.statistics, eps: norm.eps },
        epilogue: activation ? { activation } : {},
      })
    : elementwise({
        ...{ label: activation ?? "", target, out: made, wide, tensors: { x: read(x, wide) } },
        functions: activation ? ACTIVATIONS[activation].wgsl : "",
        body: `  return ${activation}(x_at(i));`,
      });
  return [maker, ...lowerContraction({ ...given, x: made })];
}

function summed({ y, target, scratch }: Contraction, sums: Contraction["x"]): readonly Dispatch[] {
  const axes = y.shape.slice(0, -1).map((_, axis) => axis);
  return reduceDispatches("reduceSum", { out: sums, scratch, target }, whole(y), y.shape, {
    ...{ axes, factor: 1, combiner: "sum" },
  });
}

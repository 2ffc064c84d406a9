import { add, multiply, scale } from "./ops/arithmetic.ts";
import { attention } from "./ops/attention/attention.ts";
import { conv2d, conv2dStatistics, convTranspose2d } from "./ops/contraction/conv.ts";
import { addBias, linear } from "./ops/contraction/linear.ts";
import { conv2dGradWeight, conv2dGradWeightOfNorm } from "./ops/contraction/weight-gradient.ts";
import { dropout } from "./ops/dropout.ts";
import { pad2d, shrinkLabels, swapAxes } from "./ops/frame.ts";
import { concat, permuteRows, sliceLast } from "./ops/layout.ts";
import { leakyRelu } from "./ops/leaky-relu.ts";
import { binaryCrossEntropy } from "./ops/loss/binary-loss.ts";
import { boundaryEmphasis, classMasks } from "./ops/loss/class-masks.ts";
import { focalLoss } from "./ops/loss/focal-loss.ts";
import { hardLabels } from "./ops/loss/hard-labels.ts";
import { logOdds } from "./ops/loss/log-odds.ts";
import { argmaxLast, crossEntropy, segmentationCounts, softDice } from "./ops/loss/loss.ts";
import { bceDiceLoss, structureLoss } from "./ops/loss/region-loss.ts";
import {
  batchNormBy,
  batchNormEval,
  batchNormTrain,
  batchNormTrainGrad,
  batchNormTrainSums,
} from "./ops/norm/batch-norm.ts";
import { foldForward } from "./ops/norm/fold-forward.ts";
import { foldNorm } from "./ops/norm/fold-norm.ts";
import { groupNorm } from "./ops/norm/group-norm.ts";
import { instanceNorm } from "./ops/norm/instance-norm.ts";
import { layerNorm } from "./ops/norm/layer-norm.ts";
import { updateRunning } from "./ops/norm/running.ts";
import { pack2x2, unpack2x2 } from "./ops/packing.ts";
import { gelu, geluTanh, hardswish, relu, sigmoid, silu } from "./ops/pointwise.ts";
import { averagePool2d } from "./ops/pool/average-pool.ts";
import { adaptiveAveragePool2d, adaptiveMaxPool2d, maxPool2d } from "./ops/pool/pool.ts";
import { reduceMax, reduceProduct, reduceSum, weightedSum } from "./ops/reduce/reduce.ts";
import { softmax } from "./ops/reduce/softmax.ts";
import { softmaxSum } from "./ops/reduce/softmax-sum.ts";
import { resizeBilinear, resizeNearest } from "./ops/resize.ts";
import { judgeScaledStep, judgeStep, scaledSeed, squaredNorm } from "./ops/update/judge.ts";
import { accumulate, adamW, prepareAdamW, sgd, tick } from "./ops/update/update.ts";
import type { AnyOp } from "./trace/op.ts";

/** Keeps the names and forgets what each op's inputs and attributes are, as a trace does. */
const tableOf = <N extends string>(ops: { readonly [K in N]: unknown }) => ops as { readonly [K in N]: AnyOp };

/**
 * Every op a network can call, by its name. Those of derivatives are reached by differentiating these; the ones that a
 * pass changes stand here too. An op that stands
 * here and has no check in src/checks does not compile.
 */
export const OPS = tableOf({
  add,
  multiply,
  scale,
  relu,
  silu,
  gelu,
  geluTanh,
  sigmoid,
  hardswish,
  leakyRelu,
  conv2d,
  conv2dGradWeight,
  conv2dGradWeightOfNorm,
  conv2dStatistics,
  convTranspose2d,
  linear,
  addBias,
  foldNorm,
  foldForward,
  batchNormTrain,
  batchNormBy,
  batchNormTrainSums,
  batchNormTrainGrad,
  batchNormEval,
  updateRunning,
  layerNorm,
  instanceNorm,
  groupNorm,
  attention,
  softmax,
  softmaxSum,
  reduceSum,
  reduceProduct,
  reduceMax,
  weightedSum,
  maxPool2d,
  averagePool2d,
  adaptiveAveragePool2d,
  adaptiveMaxPool2d,
  resizeBilinear,
  resizeNearest,
  pack2x2,
  unpack2x2,
  permuteRows,
  concat2: concat(2),
  concat3: concat(3),
  sliceLast,
  pad2d,
  swapAxes,
  shrinkLabels,
  dropout,
  crossEntropy,
  focalLoss,
  softDice,
  binaryCrossEntropy,
  logOdds,
  classMasks,
  boundaryEmphasis,
  structureLoss,
  bceDiceLoss,
  hardLabels,
  argmaxLast,
  segmentationCounts,
  squaredNorm,
  accumulate,
  judgeStep,
  judgeScaledStep,
  scaledSeed,
  tick,
  prepareAdamW,
  adamW,
  sgd,
});

export type OpName = keyof typeof OPS;

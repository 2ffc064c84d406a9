import type { AnyOp } from "./op.ts";
import { add, multiply, scale } from "./ops/arithmetic.ts";
import { attention } from "./ops/attention.ts";
import { averagePool2d } from "./ops/average-pool.ts";
import { binaryCrossEntropy } from "./ops/binary-loss.ts";
import { boundaryEmphasis, classMasks } from "./ops/class-masks.ts";
import { addBias, conv2d, convTranspose2d, linear } from "./ops/conv.ts";
import { dropout } from "./ops/dropout.ts";
import { foldNorm } from "./ops/fold-norm.ts";
import { pad2d, shrinkLabels, swapAxes } from "./ops/frame.ts";
import { hardLabels } from "./ops/hard-labels.ts";
import { instanceNorm } from "./ops/instance-norm.ts";
import { concat, pack2x2, permuteRows, sliceLast, unpack2x2 } from "./ops/layout.ts";
import { leakyRelu } from "./ops/leaky-relu.ts";
import { logOdds } from "./ops/log-odds.ts";
import { argmaxLast, crossEntropy, segmentationCounts, softDice } from "./ops/loss.ts";
import { batchNormEval, batchNormTrain, layerNorm, updateRunning } from "./ops/norm.ts";
import { gelu, geluTanh, hardswish, relu, sigmoid, silu } from "./ops/pointwise.ts";
import { adaptiveAveragePool2d, adaptiveMaxPool2d, maxPool2d } from "./ops/pool.ts";
import { reduceMax, reduceProduct, reduceSum, weightedSum } from "./ops/reduce.ts";
import { bceDiceLoss, structureLoss } from "./ops/region-loss.ts";
import { resizeBilinear, resizeNearest } from "./ops/resize.ts";
import { softmax } from "./ops/softmax.ts";
import { accumulate, adamW, copyTo, judgeStep, prepareAdamW, sgd, squaredNorm, tick } from "./ops/update.ts";

/** Every op a network can call. Those of derivatives are reached by differentiating these. */
export const OPS = [
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
  convTranspose2d,
  linear,
  addBias,
  foldNorm,
  batchNormTrain,
  batchNormEval,
  updateRunning,
  layerNorm,
  instanceNorm,
  attention,
  softmax,
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
  concat(2),
  concat(3),
  sliceLast,
  pad2d,
  swapAxes,
  shrinkLabels,
  dropout,
  crossEntropy,
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
  tick,
  prepareAdamW,
  adamW,
  sgd,
  copyTo,
] as unknown as readonly AnyOp[];

/// <reference types="@webgpu/types" preserve="true" />

/**
 * The library: what a program needs to open a GPU; to build or load a network, start it from public weights and predict;
 * to train on a dataset folder; to write a network or an op of its own; and to write the result for other tools. Commands
 * of `svanet` use the same functions. The folder `examples` of the repository shows each of these in one short program.
 *
 * @module svanet
 */

export { differentiate } from "./autograd/differentiate.ts";
export type { OptimizerOptions } from "./autograd/optimizer.ts";
export { type ImageSource, readImageSource } from "./data/channel-picture.ts";
export type { ChannelPlan, ChannelWindow } from "./data/channels.ts";
export type { Rgb } from "./data/codec/png.ts";
export {
  type CheckedDataset,
  type CheckedSample,
  type CheckOptions,
  checkDataset,
  pixelStatistics,
} from "./data/dataset/check-dataset.ts";
export { type Dataset, openDataset, type Sample, type SplitName } from "./data/dataset/dataset.ts";
export { readImage, writePng } from "./data/decode.ts";
export {
  type Batch,
  type BatchStream,
  evalBatches,
  type TrainBatchOptions,
  trainBatches,
} from "./data/feed/batches.ts";
export { SamplePool } from "./data/feed/sample-pool.ts";
export type { Window } from "./data/formats/window.ts";
export { type AugmentOptions, PAPER_AUGMENTATION } from "./data/image/augment.ts";
export type { ByteImage } from "./data/image/image.ts";
export type { PixelStatistics } from "./data/image/normalise.ts";
export { synthKind } from "./data/synth/kinds.ts";
export { type SynthOptions, writeSynth } from "./data/synth/write.ts";
export {
  CheckpointError,
  DataError,
  DeviceError,
  DeviceLostError,
  OutOfMemoryError,
  ShapeError,
  SvanetError,
  UsageError,
} from "./errors.ts";
export { type CardWords, modelCard } from "./experiment/checkpoint/card.ts";
export { type CardRun, readCardRun } from "./experiment/checkpoint/card-sources.ts";
export { loadCheckpoint, saveCheckpoint } from "./experiment/checkpoint/checkpoint.ts";
export { checkpointToOnnx, convertToSafetensors, writeOnnx } from "./experiment/checkpoint/export.ts";
export { IMAGENET_STATISTICS, importCheckpoint } from "./experiment/checkpoint/import-checkpoint.ts";
export { loadNetwork } from "./experiment/checkpoint/load-run.ts";
export { loadPretrained, type Pretrained } from "./experiment/checkpoint/pretrained.ts";
export { type ChosenImage, EvalPictures, type JudgedMap, writeOverlay } from "./experiment/evaluate/eval-pictures.ts";
export { type EvaluateOptions, evaluateSplit } from "./experiment/evaluate/evaluate.ts";
export { evaluateNative, type NativeOptions } from "./experiment/evaluate/native.ts";
export {
  type EvaluationReport,
  type EvaluationSource,
  evaluationReport,
  writeEvaluation,
} from "./experiment/evaluate/report.ts";
export type { EvaluatedMap, EvaluationResult, ScoredAt, ScoreOptions } from "./experiment/evaluate/scores.ts";
export type { Fingerprint, FingerprintSummary } from "./experiment/plan/fingerprint.ts";
export { type Choice, type Plan, type PlanMemory, planFlags } from "./experiment/plan/plan.ts";
export { planForData, planMemory } from "./experiment/plan/plan-data.ts";
export type { View } from "./experiment/plan/rules.ts";
export { resolveConfig, type TrainConfig, type TrainFlags } from "./experiment/settings/config.ts";
export { augmentOptions, lossSettings, networkFor, trainerOptions } from "./experiment/settings/recipe.ts";
export type { TrainInput, TrainResult } from "./experiment/train/train-input.ts";
export type { StepState, TrainObserver } from "./experiment/train/train-observer.ts";
export { runTraining } from "./experiment/train/train-run.ts";
export { type Checkpoint, networkTensors, restoreNetwork } from "./inference/checkpoint/checkpoint.ts";
export type { CheckpointFacts, Progress } from "./inference/checkpoint/facts.ts";
export type { ImageFacts, ImagePlan } from "./inference/image-plan.ts";
export { Predictor, type PredictorOptions } from "./inference/predictor.ts";
export type { TileOptions } from "./inference/tiles.ts";
export { Program, type ProgramOptions } from "./kernels/compile/program.ts";
export { type StateEntry, StateStore } from "./kernels/compile/state.ts";
export type { AdapterReport } from "./kernels/device/adapter.ts";
export { Device } from "./kernels/device/device.ts";
export { allWide, elementwise, type KernelSpec, read, type TensorUse } from "./kernels/shader/shader.ts";
export type { Target } from "./kernels/target.ts";
export { type Cost, FREE, LAYER } from "./kernels/trace/cost.ts";
export { Graph } from "./kernels/trace/graph.ts";
export {
  type Binding,
  type Derivative,
  type Dispatch,
  type DType,
  defineOp,
  type Epilogue,
  type Exec,
  type LowerCall,
  NO_MACS,
  type Op,
  type Shapes,
  type Value,
  type Values,
} from "./kernels/trace/op.ts";
export type { PerAxis, Shape } from "./kernels/trace/shape.ts";
export { Evaluation, type ImageResult, type StratumResult } from "./metrics/evaluation.ts";
export { type RocCurve, rocCurve } from "./metrics/roc.ts";
export { pairedTTest, wilcoxonSignedRank } from "./metrics/significance.ts";
export type { Build, Mode } from "./model/build.ts";
export { classHead } from "./model/definition.ts";
export { type Activation, activated } from "./model/layers/activation.ts";
export { joined, product, sum } from "./model/layers/combine.ts";
export { type ConvolutionOptions, classifier, convolution, convolutions } from "./model/layers/convolution.ts";
export type { Start } from "./model/layers/initialiser.ts";
export type { Norm } from "./model/layers/norm.ts";
export { globalMean, halved } from "./model/layers/pool.ts";
export { grow, resizedByCentres, resizedToCorners } from "./model/layers/resize.ts";
export type { OwnConfig } from "./model/nets/own.ts";
export type { Initialiser, Parameter, ParameterTable } from "./model/parameters.ts";
export {
  type BinaryTarget,
  DEFAULT_LOSS,
  type Head,
  LOSSES,
  type LossKind,
  type LossSettings,
} from "./model/supervision.ts";
export { SVANET_PRESETS, type SvanetConfig } from "./model/svanet/config.ts";
export { type Description, describe, fromZoo, type NetworkConfig, ZOO, type ZooEntry } from "./model/zoo.ts";
export { applyDriverRecord } from "./platform/node/driver-environment.ts";
export { type DeviceOptions, openDevice } from "./platform/node/open-device.ts";
export type { ClassWeighting } from "./training/class-weights.ts";
export type { InferenceOptions, InferenceTrace } from "./training/inference-trace.ts";
export { type Inference, Network } from "./training/network.ts";
export type { RateFactors } from "./training/rates.ts";
export {
  type StepReport,
  type SubmitOptions,
  type Submitted,
  Trainer,
  type TrainerOptions,
} from "./training/trainer.ts";
export type { TrainingBatch } from "./training/training-trace.ts";
export { type FetchOptions, fetchPublished } from "./weights/published/fetch-weights.ts";
export { weightsPath } from "./weights/published/find-weights.ts";
export { PUBLISHED_FILES, type PublishedFile, publishedFile } from "./weights/published/published-files.ts";
export { readWeights, type WeightsFile } from "./weights/read-weights.ts";
export { float32, type SafetensorsContents, type StoredTensor, storeFloat32 } from "./weights/safetensors.ts";
export { readSafetensors, writeSafetensors } from "./weights/safetensors-file.ts";

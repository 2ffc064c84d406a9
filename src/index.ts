/**
 * The library: what a program needs to open a GPU, build or load a network, start it from public weights, predict,
 * evaluate, and write the result for other tools. Commands of `svanet` use the same functions.
 */

export { readImage, writePng } from "./data/codec/decode.ts";
export { type CheckedDataset, type CheckedSample, checkDataset } from "./data/dataset/check-dataset.ts";
export { type Dataset, openDataset } from "./data/dataset/dataset.ts";
export type { ByteImage } from "./data/image/image.ts";
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
export {
  type Checkpoint,
  type CheckpointFacts,
  loadCheckpoint,
  networkTensors,
  restoreNetwork,
  saveCheckpoint,
} from "./experiment/checkpoint/checkpoint.ts";
export { checkpointToOnnx, convertToSafetensors, writeOnnx } from "./experiment/checkpoint/export.ts";
export { IMAGENET_STATISTICS, importCheckpoint } from "./experiment/checkpoint/import-checkpoint.ts";
export { loadNetwork } from "./experiment/checkpoint/load-run.ts";
export { loadPretrained, type Pretrained } from "./experiment/checkpoint/pretrained.ts";
export { type EvaluateOptions, type EvaluationResult, evaluateSplit } from "./experiment/evaluate/evaluate.ts";
export {
  type EvaluationReport,
  type EvaluationSource,
  evaluationReport,
  writeEvaluation,
  writeOverlay,
} from "./experiment/evaluate/report.ts";
export { Predictor, type PredictorOptions } from "./experiment/predict/predict.ts";
export { Device } from "./kernels/device/device.ts";
export { SVANET_PRESETS, type SvanetConfig } from "./model/svanet/config.ts";
export { describe, fromZoo, ZOO, type ZooEntry } from "./model/zoo.ts";
export { applyDriverRecord } from "./platform/node/driver-environment.ts";
export { type DeviceOptions, openDevice } from "./platform/node/open-device.ts";
export type { InferenceOptions } from "./training/inference-trace.ts";
export { type Inference, Network } from "./training/network.ts";
export { readWeights, type WeightsFile } from "./weights/read-weights.ts";
export { float32, type StoredTensor, storeFloat32 } from "./weights/safetensors.ts";
export { readSafetensors, writeSafetensors } from "./weights/safetensors-file.ts";

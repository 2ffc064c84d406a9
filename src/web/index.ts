/// <reference types="@webgpu/types" preserve="true" />

/**
 * The library for browsers: opens the GPU of a page or a worker, loads a checkpoint of `svanet train` from its bytes, predicts
 * pictures of any size, measures the objects in them, and trains. The kernels, networks and files are those of the library for
 * Node (`svanet`): one engine, so that results are the same within the rounding of a GPU. Nothing here imports a module of Node.
 *
 * @module svanet/web
 */

export type { ChannelPlan, ChannelWindow } from "../data/channels.ts";
export { type DicomFile, looksLikeDicom, readDicom } from "../data/formats/dicom.ts";
export { SeriesList, sortSeries } from "../data/formats/dicom-series.ts";
export { NiftiVolume } from "../data/formats/nifti.ts";
export { readNifti } from "../data/formats/nifti-unpack.ts";
export { type NpyHeader, readNpyHeader } from "../data/formats/npy.ts";
export { niftiSlices, type ScanSlices, scanPicture, scanView, seriesSlices } from "../data/formats/scan.ts";
export { type ValueSlice, type ValueType, valueReader } from "../data/formats/values.ts";
export type { ChosenView, View, Window } from "../data/formats/window.ts";
export type { ByteImage, FloatImage, Picture, Size } from "../data/image/image.ts";
export {
  CheckpointError,
  DataError,
  DeviceError,
  DeviceLostError,
  OutOfMemoryError,
  ShapeError,
  SvanetError,
  UsageError,
} from "../errors.ts";
export {
  type Checkpoint,
  networkTensors,
  parseCheckpoint,
  restoreNetwork,
  restoreTrainer,
  trainerTensors,
} from "../inference/checkpoint/checkpoint.ts";
export type { CheckpointFacts, Progress } from "../inference/checkpoint/facts.ts";
export type { ImageFacts, ImagePlan } from "../inference/image-plan.ts";
export { type LoadedModel, loadModel } from "../inference/load-model.ts";
export type { Member } from "../inference/member.ts";
export type { ClassRule } from "../inference/object-rules.ts";
export { type Finding, Predictor, type PredictorOptions } from "../inference/predictor.ts";
export type { TileOptions } from "../inference/tiles.ts";
export type { AdapterReport } from "../kernels/device/adapter.ts";
export { Device } from "../kernels/device/device.ts";
export type { Target } from "../kernels/target.ts";
export { DEFAULT_LOSS, type LossSettings } from "../model/supervision.ts";
export { fitted, fromZoo, type NetworkConfig, type Sizing, ZOO, type ZooEntry } from "../model/zoo.ts";
export { type MeasuredObject, measured, type PixelCertainty } from "../objects/measure.ts";
export type { Shape } from "../objects/shape.ts";
export { type MaskObject, objectsOf } from "../objects/split.ts";
export { openWebDevice, type WebDeviceOptions } from "../platform/web/open-web-device.ts";
export { type Inference, Network } from "../training/network.ts";
export { type StepReport, type Submitted, Trainer, type TrainerOptions } from "../training/trainer.ts";
export type { TrainingBatch } from "../training/training-trace.ts";

/** What both engines are given: pictures of one size, normalised in one way. */

/** Pixels of a side: the size of the networks and of the picture, so that nothing is resized. */
export const SIDE = 128;

/** Of pixels in [0, 1], by channel. */
export const PIXELS = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] } as const;

/** Which network a page shows stands in its address: `?network=unet&runs=10`. */
export interface PageQuery {
  readonly network: string;
  /** Predictions behind the first. */
  readonly runs: number;
}

/** What a page measured. */
export interface PageTimes {
  /** Milliseconds since the page was asked for: until its script ran, the network was on the GPU, the first mask was there. */
  readonly script: number;
  readonly ready: number;
  readonly first: number;
  /** Milliseconds of each later prediction, from the picture's bytes to its mask. */
  readonly later: readonly number[];
  /** The class of each pixel. */
  readonly mask: readonly number[];
}

/** Files of the site besides the pages. */
export const PICTURE = "picture.bin";
export const ORT_SCRIPT = "ort.webgpu.bundle.min.mjs";
export const ORT_WASM = "ort-wasm-simd-threaded.asyncify.wasm";

export const ENGINES = ["svanet", "onnxruntime-web"] as const;
export type Engine = (typeof ENGINES)[number];

/** The file with a network's weights for an engine. */
export const weightsFile = (engine: Engine, network: string): string =>
  `${network}.${engine === "svanet" ? "safetensors" : "onnx"}`;

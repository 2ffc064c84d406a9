/** What a kernel may rely on: the adapter as plain numbers, so that kernels can be chosen and tested without a GPU. */
export interface Target {
  /** Longest storage binding in bytes; longer tensors are bound in parts. */
  readonly bindingLimit: number;
  /** Longest buffer in bytes. */
  readonly bufferLimit: number;
  /** Storage bindings one dispatch may have. */
  readonly storageBuffers: number;
  /** Lanes that run together, when the adapter has one fixed width and the `subgroups` feature; else null. */
  readonly subgroupSize: number | null;
  /** Whether tensors may be stored in half precision (the `shader-f16` feature). */
  readonly half: boolean;
  /** Whether subgroups of 32 lanes multiply 16x16x16 matrices of f16 with f32 sums. */
  readonly matrices: boolean;
  /** True for a driver that runs shaders on the CPU: memory is cheap there and barriers are dear. */
  readonly software: boolean;
  readonly workgroupInvocations: number;
  readonly workgroupStorage: number;
  /** Alignment of a binding's offset in bytes. */
  readonly offsetAlignment: number;
  /** Longest grid along one axis. */
  readonly workgroupsPerAxis: number;
  /** Compute units (multiprocessors, cores of a GPU). WebGPU does not tell, so it is a guess: what a large card has. */
  readonly computeUnits: number;
  /** True while a program without gradients is lowered, which may round more: see `Graph.evaluates`. */
  readonly evaluates: boolean;
}

/** The limits every WebGPU adapter has: what a plan made without a GPU assumes, and always a valid choice. */
export const DEFAULT_TARGET: Target = {
  bindingLimit: 128 * 2 ** 20,
  bufferLimit: 256 * 2 ** 20,
  storageBuffers: 8,
  subgroupSize: null,
  half: false,
  matrices: false,
  software: false,
  workgroupInvocations: 256,
  workgroupStorage: 16384,
  offsetAlignment: 256,
  workgroupsPerAxis: 65535,
  computeUnits: 128,
  evaluates: false,
};

/** A CPU driver with 8-lane subgroups, as Mesa's llvmpipe is. */
export const SOFTWARE_TARGET: Target = {
  ...DEFAULT_TARGET,
  storageBuffers: 16,
  subgroupSize: 8,
  half: true,
  software: true,
};

/** Invocations worth having at once: a CPU driver has a few cores to fill, and every round of a fold is a dispatch. */
export function usefulInvocations(target: Target): number {
  return target.software ? 1024 : 65536;
}

/** Partial results a reduction may leave for its second dispatch. */
export function usefulParts(target: Target): number {
  return target.software ? 64 : 1024;
}

/** Tiles shared by shuffles need lanes that run in lockstep and few enough of them to name in registers. */
export function prefersShuffleTiles(target: Target): boolean {
  return target.software && target.subgroupSize === 8;
}

/** Tiles in workgroup memory pay off on hardware that has such a memory; 256 invocations and 8 KiB are every GPU's. */
export function fitsWorkgroupTiles(target: Target): boolean {
  return !target.software && target.workgroupInvocations >= 256 && target.workgroupStorage >= 16384;
}

import { DEFAULT_TARGET, type Target } from "../target.ts";

/** What an adapter says of itself. */
export interface AdapterReport {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  readonly backend: string;
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly subgroupMinSize: number | null;
  readonly subgroupMaxSize: number | null;
  /** The products of matrices that subgroups do at once; empty where they do none. */
  readonly matrixProducts: readonly MatrixProduct[];
}

/** A product `[m, k] x [k, n]` of elements of one type, summed in another. */
export interface MatrixProduct {
  readonly of: string;
  readonly into: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Limits asked for, because a default device gets the lowest ones even where the adapter offers more. */
const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** Features kernels use where the adapter has them. */
const WANTED_FEATURES = [
  "subgroups",
  "subgroup-size-control",
  "chromium-experimental-subgroup-matrix",
  "timestamp-query",
  "shader-f16",
] as readonly GPUFeatureName[];

/** The GPU behind an adapter, with everything of use that the adapter offers. */
export function requestGpu(adapter: GPUAdapter): Promise<GPUDevice> {
  return adapter.requestDevice({
    requiredFeatures: WANTED_FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]])),
  });
}

/** What an adapter says of itself, as plain values. `backend` is the platform's word for what carries WebGPU. */
export function describe(adapter: GPUAdapter, backend: string): AdapterReport {
  const { info } = adapter;
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") limits[name] = value;
  }
  const sizes = info as GPUAdapterInfo & SubgroupInfo;
  const words = `${info.device} ${info.description} ${info.architecture}`;
  const software = info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(words);
  return {
    // Browsers tell the maker and the kind of a GPU only.
    name: info.device || info.description || `${info.vendor} ${info.architecture}`.trim() || "unknown",
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    backend,
    software,
    features: [...adapter.features].sort(),
    limits,
    subgroupMinSize: sizes.subgroupMinSize ?? null,
    subgroupMaxSize: sizes.subgroupMaxSize ?? null,
    matrixProducts: [...(sizes.subgroupMatrixConfigs ?? [])].map(({ componentType, resultComponentType, M, N, K }) => ({
      of: componentType,
      into: resultComponentType,
      m: M,
      n: N,
      k: K,
    })),
  };
}

/** Not in the WebGPU standard yet: what an adapter's info may say beyond it. */
interface SubgroupInfo {
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/** Whether the product that kernels are written for is there, with the subgroups they are written for. */
function multipliesMatrices({ features, matrixProducts, subgroupMinSize, subgroupMaxSize }: AdapterReport): boolean {
  const [least, most] = [subgroupMinSize ?? 0, subgroupMaxSize ?? 0];
  const sized = least === 32 && most === 32;
  const chosen = least <= 32 && most >= 32 && features.includes("subgroup-size-control");
  const product = matrixProducts.some(
    ({ of, into, m, n, k }) => of === "f16" && into === "f32" && m === 16 && n === 16 && k === 16,
  );
  return features.includes("chromium-experimental-subgroup-matrix") && product && (sized || chosen);
}

/** What kernels may rely on, from what the adapter says; limits it does not tell are the lowest that WebGPU allows. */
export function targetOf(report: AdapterReport): Target {
  const limit = (name: string, otherwise: number) => report.limits[name] ?? otherwise;
  const fixed = report.features.includes("subgroups") && report.subgroupMinSize === report.subgroupMaxSize;
  return {
    bindingLimit: limit("maxStorageBufferBindingSize", 2 ** 27),
    bufferLimit: limit("maxBufferSize", 2 ** 28),
    storageBuffers: limit("maxStorageBuffersPerShaderStage", 8),
    subgroupSize: fixed ? report.subgroupMinSize : null,
    half: report.features.includes("shader-f16"),
    matrices: multipliesMatrices(report),
    software: report.software,
    workgroupInvocations: limit("maxComputeInvocationsPerWorkgroup", 256),
    workgroupStorage: limit("maxComputeWorkgroupStorageSize", 16384),
    offsetAlignment: Math.max(limit("minStorageBufferOffsetAlignment", 256), 256),
    workgroupsPerAxis: limit("maxComputeWorkgroupsPerDimension", 65535),
    computeUnits: DEFAULT_TARGET.computeUnits,
    evaluates: DEFAULT_TARGET.evaluates,
  };
}

import { DeviceError } from "../../errors.ts";
import type { Target } from "../target.ts";

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
}

/** Limits asked for, because a default device gets the lowest ones even where the adapter offers more. */
export const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

export function defaultBackend(): string | undefined {
  return process.platform === "linux" ? "vulkan" : undefined;
}

/**
 * The adapter with the most power, null where there is none. Opening one fails now and then while another process
 * holds the driver, so it is tried three times. A wanted adapter that is not there is a DeviceError that lists them.
 */
export async function requestAdapter(root: GPU): Promise<GPUAdapter | null> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const adapter = await firstAdapter(root);
    if (adapter) return adapter;
    await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
  }
  return null;
}

/** Dawn throws, with the list of adapters, where the one it was told to use is missing. */
async function firstAdapter(root: GPU): Promise<GPUAdapter | null> {
  try {
    return await root.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    throw new DeviceError(`--adapter: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function noAdapter(wanted: string | undefined): string {
  if (wanted) return `no GPU adapter is called "${wanted}"; 'svanet doctor' lists what there is`;
  return process.platform === "linux"
    ? "no Vulkan adapter was found; run 'npm run setup', which installs a software driver, or install your GPU's driver"
    : "no GPU adapter was found; update the graphics driver";
}

export function describe(adapter: GPUAdapter, backend: string): AdapterReport {
  const { info } = adapter;
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") limits[name] = value;
  }
  const sizes = info as GPUAdapterInfo & { subgroupMinSize?: number; subgroupMaxSize?: number };
  const software = /llvmpipe|lavapipe|swiftshader|software/i.test(`${info.device} ${info.description}`);
  return {
    name: info.device || info.description || "unknown",
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    backend,
    software,
    features: [...adapter.features].sort(),
    limits,
    subgroupMinSize: sizes.subgroupMinSize ?? null,
    subgroupMaxSize: sizes.subgroupMaxSize ?? null,
  };
}

export function targetOf(report: AdapterReport): Target {
  const limit = (name: string, otherwise: number) => report.limits[name] ?? otherwise;
  const fixed = report.features.includes("subgroups") && report.subgroupMinSize === report.subgroupMaxSize;
  return {
    bindingLimit: limit("maxStorageBufferBindingSize", 2 ** 27),
    storageBuffers: limit("maxStorageBuffersPerShaderStage", 8),
    subgroupSize: fixed ? report.subgroupMinSize : null,
    software: report.software,
    workgroupInvocations: limit("maxComputeInvocationsPerWorkgroup", 256),
    workgroupStorage: limit("maxComputeWorkgroupStorageSize", 16384),
    offsetAlignment: Math.max(limit("minStorageBufferOffsetAlignment", 256), 256),
    workgroupsPerAxis: limit("maxComputeWorkgroupsPerDimension", 65535),
  };
}

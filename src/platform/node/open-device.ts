import { createRequire } from "node:module";
import { DeviceError } from "../../errors.ts";
import { describe, requestGpu, targetOf } from "../../kernels/device/adapter.ts";
import { Device } from "../../kernels/device/device.ts";
import type { Target } from "../../kernels/target.ts";
import { machineMemory } from "../../machine-memory.ts";
import { pollPatiently } from "./patient-poll.ts";
import { withQuietStderr } from "./quiet-stderr.ts";

/** Which adapter to open, and as what. */
export interface DeviceOptions {
  /** Dawn's back end: vulkan, metal, d3d12, or null (which validates shaders and runs nothing). */
  readonly backend?: string;
  /** Part of the adapter's name, where a machine has several. */
  readonly adapter?: string | undefined;
  /** Replaces what the adapter says of itself: smaller limits in tests, another choice of kernels. */
  readonly target?: Partial<Target>;
  /** Takes what a person should know of the work on the device. */
  readonly onNotice?: (sentence: string) => void;
}

interface DawnModule {
  create(flags: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

/**
 * How long, in milliseconds, a result is waited for without a pause. A software driver computes on the cores that the waiting
 * would take; on a GPU a network's inference is to end within it, so that the pause never stands in a time that is measured.
 */
const PATIENCE = { software: 1, gpu: 30 };

/** Dawn's own root objects. Dropping one while its device lives crashes the process at the next collection. */
const roots = new Set<GPU>();

let quiet = false;

/**
 * From now on Dawn's own warnings about limits are kept from stderr while an adapter is opened. For a program that is alone in
 * its process: stderr is closed for a moment.
 */
export function openQuietly(): void {
  quiet = true;
}

/** Opens an adapter with everything it offers. Throws DeviceError with what to do when there is none. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const backend = options.backend ?? (process.platform === "linux" ? "vulkan" : undefined);
  const root = createRoot(backend, options.adapter);
  roots.add(root);
  const adapter = await requestAdapter(root);
  if (!adapter) throw new DeviceError(noAdapter(options.adapter));
  const report = describe(adapter, backend ?? "default");
  pollPatiently(report.software ? PATIENCE.software : PATIENCE.gpu);
  return new Device(await requestGpu(adapter), {
    report,
    target: { ...targetOf(report), ...options.target },
    memory: machineMemory(),
    onNotice: options.onNotice,
    onClose: () => {
      roots.delete(root);
      // One turn of the collector may come before Dawn has finished with the device.
      setTimeout(() => root, 100).unref();
    },
  });
}

/** Adapters by the names `--adapter` takes. Dawn tells them only when it is asked for one that does not exist. */
export async function listAdapters(): Promise<string[]> {
  try {
    const device = await openDevice({ adapter: "no adapter has this name" });
    device.close();
    return [];
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [...text.matchAll(/^ \* backend: '([^']*)', name: '([^']*)'$/gm)].map(
      ([, backend, name]) => `${name} (${backend})`,
    );
  }
}

/** Dawn with the globals of WebGPU (GPUBufferUsage, ..), as a browser has them. */
function createRoot(backend: string | undefined, adapter: string | undefined): GPU {
  const dawn = createRequire(import.meta.url)("webgpu") as DawnModule;
  Object.assign(globalThis, dawn.globals);
  return dawn.create([
    ...(backend ? [`backend=${backend}`] : []),
    ...(adapter ? [`adapter=${adapter}`] : []),
    "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
    "disable-dawn-features=timestamp_quantization",
  ]);
}

/**
 * The adapter with the most power, null where there is none. Opening one fails now and then while another process
 * holds the driver, so it is tried three times. A wanted adapter that is not there is a DeviceError that lists them.
 */
async function requestAdapter(root: GPU): Promise<GPUAdapter | null> {
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
    const request = () => root.requestAdapter({ powerPreference: "high-performance" });
    // The adapters are looked at before the call returns.
    return await (quiet ? withQuietStderr(request) : request());
  } catch (error) {
    throw new DeviceError(`--adapter: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function noAdapter(wanted: string | undefined): string {
  if (wanted) return `no GPU adapter is called "${wanted}"; 'svanet doctor' lists what there is`;
  return process.platform === "linux"
    ? "no Vulkan adapter was found; run 'npm run setup', which installs a software driver, or install your GPU's driver"
    : "no GPU adapter was found; update the graphics driver";
}

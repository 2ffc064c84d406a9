import { DeviceError, type DeviceLostError } from "../../errors.ts";
import { describe, requestGpu, targetOf } from "../../kernels/device/adapter.ts";
import { Device } from "../../kernels/device/device.ts";
import type { Target } from "../../kernels/target.ts";

/** Which GPU a page works on, and as what. */
export interface WebDeviceOptions {
  /** Which GPU of several (default: the one with the most power). */
  readonly powerPreference?: GPUPowerPreference;
  /** Replaces what the adapter says of itself: smaller limits in tests, another choice of kernels. */
  readonly target?: Partial<Target>;
  /** Takes what a person should know of the work on the device, a sentence for each kind of thing. */
  readonly onNotice?: (sentence: string) => void;
  /** Takes the loss of the GPU (a tab that slept, a driver that was reset): open another device and load the network anew. */
  readonly onLost?: (error: DeviceLostError) => void;
}

/** What of a page's or a worker's global scope is looked at. */
export interface WebScope {
  readonly isSecureContext?: boolean;
  readonly navigator?: { readonly gpu?: GPU | undefined } | undefined;
  readonly location?: { readonly origin: string } | undefined;
}

/** By what their makers say, as of December 2026. */
const BROWSERS =
  "Chrome and Edge from 113, on Android from 121; Safari from 26; Firefox from 141 on Windows, from 145 on Macs of Apple silicon";

/**
 * Opens the browser's GPU with everything that the adapter offers: its limits, half precision, subgroups, time stamps. For a
 * page or a worker. Throws DeviceError with what to do where the page's address is not a safe one (WebGPU needs HTTPS or
 * localhost), the browser has no WebGPU, or it finds no GPU. `scope` is the global scope, which tests replace.
 */
export async function openWebDevice(
  options: WebDeviceOptions = {},
  scope: WebScope = globalThis as WebScope,
): Promise<Device> {
  const { powerPreference = "high-performance", target, onNotice, onLost } = options;
  const adapter = await requestAdapter(gpuOf(scope), powerPreference);
  const report = describe(adapter, "browser");
  return new Device(await openAdapter(adapter), {
    report,
    target: { ...targetOf(report), ...target },
    memory: null,
    onNotice,
    onLost,
    lostAdvice: "open the GPU again and load the network anew",
  });
}

/** The browser's WebGPU. A page at an unsafe address is not shown any, whatever the browser: that is told first. */
function gpuOf({ isSecureContext, navigator, location }: WebScope): GPU {
  if (navigator?.gpu) return navigator.gpu;
  if (isSecureContext === false) {
    throw new DeviceError(
      `this page has an address without encryption (${location?.origin ?? "http"}), where browsers give no page a GPU: open it by ` +
        "https://, or on this machine by http://localhost",
    );
  }
  throw new DeviceError(`this browser has no WebGPU, which the network runs on; browsers that have it: ${BROWSERS}`);
}

async function requestAdapter(gpu: GPU, powerPreference: GPUPowerPreference): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (adapter) return adapter;
  throw new DeviceError(
    "the browser finds no GPU that it may use: switch hardware acceleration on in its settings, update the graphics driver and " +
      "start the browser again (chrome://gpu and about:support say what is missing)",
  );
}

async function openAdapter(adapter: GPUAdapter): Promise<GPUDevice> {
  try {
    return await requestGpu(adapter);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DeviceError(
      `the browser does not open its GPU (${why}): close other pages that use it, then reload this one`,
      {
        cause: error,
      },
    );
  }
}

import { existsSync } from "node:fs";
import { totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { checkOps } from "../checks/check-ops.ts";
import { OP_CHECKS } from "../checks/op-checks.ts";
import { DeviceError, DeviceLostError, SvanetError } from "../errors.ts";
import type { AdapterReport } from "../kernels/device/adapter.ts";
import type { Device } from "../kernels/device/device.ts";
import { everyChecker } from "../parity/checkers.ts";
import type { Failure, FileResult } from "../parity/report.ts";
import { runParity } from "../parity/run.ts";
import { copyBandwidth } from "./bandwidth.ts";
import { measureCeiling, QUICK_ROUNDS } from "./ceiling.ts";

/** Everything `svanet doctor` finds out. */
export interface Examination {
  readonly adapter: AdapterReport;
  readonly memory: {
    readonly buffer: number;
    readonly binding: number;
    readonly storageBuffers: number;
    readonly workgroupInvocations: number;
    readonly workgroupStorage: number;
    /** Of the machine, which a software driver or an integrated GPU shares. */
    readonly host: number;
  };
  /** Products of small matrices in hardware, as `16x16x16 f16 -> f32`. */
  readonly subgroupMatrix: readonly string[];
  readonly fixtures: {
    readonly files: readonly FileResult[];
    readonly failures: readonly Failure[];
    readonly text: string;
  };
  /** The first case of every op against its definition. */
  readonly definitions: DefinitionResult;
  readonly speed: {
    readonly copyGigabytesPerSecond: number;
    readonly gflops: number;
    readonly variant: string;
    readonly overScalar: number;
  };
  readonly healthy: boolean;
  /** Sentences that say what to do. */
  readonly advice: readonly string[];
}

export interface DefinitionResult {
  readonly ops: number;
  /** Numbers compared. */
  readonly values: number;
  /** Largest difference over what is allowed. */
  readonly worst: number;
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

/** Runs the golden op files and the table of ops on a device, and times a copy and the matrix products. */
export async function examine(
  device: Device,
  folder = shippedFixtures(),
  onFile: (file: string, failed: boolean) => void = () => undefined,
): Promise<Examination> {
  const parity = await runParity(
    [folder],
    everyChecker(async () => device),
    ({ file, failures }) => onFile(file, failures.length > 0),
  );
  const definitions = await checkDefinitions(device);
  const copyGigabytesPerSecond = await copyBandwidth(device, QUICK_ROUNDS);
  const { best, ratio } = await measureCeiling(device, QUICK_ROUNDS, "own");
  const { report, target } = device;
  const { files, text } = parity;
  const failures = [...parity.failures, ...definitions.failures];
  return {
    adapter: report,
    memory: {
      buffer: report.limits["maxBufferSize"] ?? 0,
      binding: target.bindingLimit,
      storageBuffers: target.storageBuffers,
      workgroupInvocations: target.workgroupInvocations,
      workgroupStorage: target.workgroupStorage,
      host: totalmem(),
    },
    subgroupMatrix: matrixShapes(device),
    fixtures: { files, failures: parity.failures, text },
    definitions,
    speed: { copyGigabytesPerSecond, gflops: best.gflops, variant: best.variant, overScalar: ratio },
    healthy: failures.length === 0,
    advice: adviceFor(report, failures),
  };
}

/** Tries each op once. One whose kernel does not compile or bind has failed; a lost GPU ends the examination. */
async function checkDefinitions(device: Device): Promise<DefinitionResult> {
  const started = performance.now();
  const names = Object.keys(OP_CHECKS);
  const failures: Failure[] = [];
  let [values, worst] = [0, 0];
  for (const name of names) {
    const fail = (caseName: string, message: string) =>
      failures.push({ file: `the op ${name}`, caseName, tensor: "", message });
    try {
      for await (const result of checkOps(device, { filter: (op) => op === name, short: true })) {
        values += result.values;
        worst = Math.max(worst, result.worst);
        for (const problem of result.problems) fail(result.case, problem);
      }
    } catch (error) {
      if (error instanceof DeviceLostError || !(error instanceof SvanetError)) throw error;
      fail("", error.message);
      worst = Number.POSITIVE_INFINITY;
    }
  }
  return { ops: names.length, values, worst, seconds: (performance.now() - started) / 1000, failures };
}

/** The golden op files: beside the compiled code in the package, in test/ in a clone. */
function shippedFixtures(): string {
  const places = ["../fixtures/ops", "../../test/fixtures/ops"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = places.find((path) => existsSync(path));
  if (found === undefined)
    throw new DeviceError(`the golden op files are missing in ${places.join(" and ")}; install svanet again`);
  return found;
}

interface MatrixConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: string;
  readonly resultComponentType: string;
}

function matrixShapes({ gpu }: Device): string[] {
  const info = gpu.adapterInfo as GPUAdapterInfo & { readonly subgroupMatrixConfigs?: Iterable<MatrixConfig> };
  return [...(info.subgroupMatrixConfigs ?? [])].map(
    ({ M, N, K, componentType, resultComponentType }) => `${M}x${N}x${K} ${componentType} -> ${resultComponentType}`,
  );
}

/** What a person should do about what was found. */
export function adviceFor(
  report: Pick<AdapterReport, "software" | "features" | "driver">,
  failures: readonly Failure[],
): string[] {
  const advice: string[] = [];
  if (failures.length > 0) {
    const files = [...new Set(failures.map(({ file }) => file))];
    advice.push(
      `Do not train on this adapter: ${files.length} of the op checks fail (${files.join(", ")}).`,
      `Update the driver (now: ${report.driver}) and run 'svanet doctor' again; 'svanet doctor --list' names other adapters.`,
      "If they still fail, report the lines that begin with FAIL: the kernel and the shape are named there.",
    );
  } else advice.push("All op checks pass: this adapter computes what it should.");
  if (report.software) {
    advice.push(
      "This is a software driver. A GPU's own Vulkan driver would be a hundred times faster, if there is a GPU.",
    );
  }
  if (!report.features.includes("timestamp-query")) {
    advice.push("The adapter has no timestamp queries, so 'svanet bench profile' cannot work here.");
  }
  return advice;
}

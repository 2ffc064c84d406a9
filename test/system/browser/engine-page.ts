import { checkOps } from "../../../src/checks/check-ops.ts";
import { checkFile } from "../../../src/parity/check-files.ts";
import { everyChecker } from "../../../src/parity/checkers.ts";
import type { FixtureName } from "../../../src/parity/fixture.ts";
import type { FileResult } from "../../../src/parity/report.ts";
import { openWebDevice } from "../../../src/platform/web/open-web-device.ts";
import { parseSafetensors } from "../../../src/weights/safetensors.ts";
import { resumedLosses } from "./steps.ts";

/** What the tests call in a page: the engine, on the browser's GPU. One device serves all calls. */
const device = openWebDevice();

/** Checks one golden file, which the page's server has at `address`. */
async function parity(name: FixtureName, address: string): Promise<FileResult> {
  return checkFile({ ...name, read: async () => parseSafetensors(await bytesAt(address), name.path) }, checkers);
}

const checkers = everyChecker(() => device);

/** Checks ops by their definitions, the first case of each as `svanet doctor` does; gives how many and what is wrong. */
async function definitions(only?: readonly string[]) {
  const found = { cases: 0, values: 0, worst: 0, problems: [] as string[] };
  const filter = (op: string) => only === undefined || only.includes(op);
  for await (const { op, case: name, values, worst, problems } of checkOps(await device, { filter, short: true })) {
    found.cases++;
    found.values += values;
    found.worst = Math.max(found.worst, worst);
    found.problems.push(...problems.map((problem) => `${op}, ${name}: ${problem}`));
  }
  return found;
}

/** Losses of steps that go on from the checkpoint at `address`. */
async function losses(address: string, first: number, count: number, rate: number): Promise<number[]> {
  return resumedLosses(await device, await bytesAt(address), first, count, rate);
}

/** What the browser's adapter says of itself. */
async function adapter() {
  const { report, target } = await device;
  return { name: report.name, architecture: report.architecture, software: report.software, target };
}

async function bytesAt(address: string): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

export const engine = { parity, definitions, losses, adapter };

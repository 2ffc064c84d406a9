import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { readDriverRecord } from "../../src/platform/node/driver-environment.ts";

/** The GPU tests fail without an adapter, they never skip. Workers inherit the driver environment set here. */
export function setup(): void {
  const record = readDriverRecord();
  const chosen = process.env["VK_DRIVER_FILES"] ?? process.env["VK_ICD_FILENAMES"];
  if (record !== undefined && chosen === undefined) Object.assign(process.env, record.variables);
  const probe = fileURLToPath(new URL("../../scripts/probe.mjs", import.meta.url));
  const answer = spawnSync(process.execPath, [probe], { encoding: "utf8", timeout: 120_000 });
  if (answer.status !== 0 || !answer.stdout.startsWith("{")) {
    throw new Error("no Vulkan, Metal or D3D12 adapter answers: run `npm run setup`, then the tests again");
  }
}

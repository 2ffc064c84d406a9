import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { readDriverRecord } from "../../src/platform/node/driver-environment.ts";

/** The GPU tests fail without an adapter, they never skip. Workers inherit the driver environment set here. */
export function setup(): void {
  const record = readDriverRecord();
  const chosen = process.env["VK_DRIVER_FILES"] ?? process.env["VK_ICD_FILENAMES"];
  if (record !== undefined && chosen === undefined) Object.assign(process.env, record.variables);
  const adapter = askAdapter({});
  if (adapter === null) {
    throw new Error("no Vulkan, Metal or D3D12 adapter answers: run `npm run setup`, then the tests again");
  }
  process.stdout.write(`the gpu tests run on ${adapter}\n`);
}

/** What Dawn finds with some variables set, in the driver's own words; null when no adapter answers. */
export function askAdapter(variables: Readonly<Record<string, string>>): string | null {
  const probe = fileURLToPath(new URL("../../scripts/probe.mjs", import.meta.url));
  const env = { ...process.env, ...variables };
  const answer = spawnSync(process.execPath, [probe], { env, encoding: "utf8", timeout: 120_000 });
  if (answer.status !== 0 || !answer.stdout.startsWith("{")) return null;
  const { vendor, device, description } = JSON.parse(answer.stdout) as Readonly<Record<string, string>>;
  return description || device || vendor || "an adapter without a name";
}

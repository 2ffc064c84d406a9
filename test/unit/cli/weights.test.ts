import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { register } from "../../../src/cli/commands/weights.ts";
import { readyWeights } from "../../../src/cli/ready-weights.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { PUBLISHED_FILES } from "../../../src/weights/published/published-files.ts";
import { catchPrinted } from "../../support/printed.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-weights-"));
afterAll(() => rmSync(folder, { recursive: true }));
// Neither the network nor what this machine's user has fetched may decide a test.
beforeEach(() => {
  vi.stubEnv("SVANET_OFFLINE", "1");
  vi.stubEnv("TORCH_HOME", join(folder, "torch"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const ready = (weights: string, more: object = {}) =>
  readyWeights(resolveConfig({ data: "d", out: "o", weights, weightsDir: folder, ...more }));

/** What `svanet weights ...` prints. */
async function printed(...words: readonly string[]): Promise<string> {
  const lines = catchPrinted();
  const command = new Command().exitOverride();
  register(command);
  await command.parseAsync([...words, "--weights-dir", folder], { from: "user" });
  return lines.join("\n");
}

test("weights that are there are let through, others are answered before anything is opened", async () => {
  const path = join(folder, "a.pth");
  writeFileSync(path, "");
  await ready(path);
  await expect(ready("w/none.pth")).rejects.toThrow("--weights w/none.pth: there is no such file");
  await expect(ready("resnet50")).rejects.toThrow("no such file; imagenet:resnet50 is the public file's name here");
  await expect(ready("imagenet")).rejects.toThrow("say which network's: imagenet:resnet50; svanet weights list");
  await expect(ready("imagenet", { encoder: "resnet18" })).rejects.toThrow("imagenet:resnet18;");
  await expect(ready("imagenet:resnet5")).rejects.toThrow("Did you mean imagenet:resnet50?");
  catchPrinted();
  await expect(ready("imagenet:resnet34")).rejects.toThrow(
    "imagenet:resnet34: SVANET_OFFLINE is set, so nothing is fetched; its publisher lists it at " +
      "https://docs.pytorch.org/vision/stable/models.html as resnet34-b627a593.pth " +
      "(https://download.pytorch.org/models/resnet34-b627a593.pth): save it by a browser, on whatever machine, then run " +
      "svanet weights add imagenet:resnet34 resnet34-b627a593.pth",
  );
});

test("list shows every name, and which files are here", async () => {
  const listed = await printed("list");
  for (const { name } of PUBLISHED_FILES) expect(listed).toContain(name);
  expect(listed).toMatch(/imagenet:hrnet-w48 +\? {2}8 digits of SHA-256 {2}- /);
  writeFileSync(join(folder, "resnet18-f37072fd.pth"), "half");
  const { files } = JSON.parse(await printed("list", "--json")) as { files: { name: string; path: string | null }[] };
  expect(files.filter(({ path }) => path !== null).map(({ name }) => name)).toEqual(["imagenet:resnet18"]);
});

test("verify names what is wrong or missing and ends as a failure", async () => {
  writeFileSync(join(folder, "resnet18-f37072fd.pth"), "half");
  await expect(printed("verify")).rejects.toThrow("1 of 1 files are missing or not as published");
  await expect(printed("verify", "imagenet:resnet34")).rejects.toThrow("1 of 1 files are missing or not as published");
  rmSync(join(folder, "resnet18-f37072fd.pth"));
  expect(await printed("verify")).toBe(`no published weights are in ${folder}`);
});

test("add refuses a file that is another", async () => {
  const path = join(folder, "other.pth");
  writeFileSync(path, "others");
  await expect(printed("add", "imagenet:resnet18", path)).rejects.toThrow(
    `${path}: has 6 bytes, resnet18-f37072fd.pth has 46830571: it is not imagenet:resnet18;`,
  );
  await expect(printed("add", "imagenet:resnet18", join(folder, "none"))).rejects.toThrow("there is no such file");
});

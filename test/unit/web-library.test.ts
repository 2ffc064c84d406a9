import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { DeviceError } from "../../src/errors.ts";
import { openWebDevice, type WebScope } from "../../src/platform/web/open-web-device.ts";

interface Bundles {
  writeBundle(
    bundle: { readonly name: string; readonly entry: string; readonly format: "es" },
    target: string,
  ): Promise<void>;
}

const { writeBundle }: Bundles = await import(new URL("../../scripts/bundles.mjs", import.meta.url).href);
const library = fileURLToPath(new URL("../../src/web/index.ts", import.meta.url));

/** The bundle of a page's script that takes these names from the library. */
async function bundleOf(names: readonly string[]): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  try {
    const entry = join(folder, "page.ts");
    writeFileSync(entry, `export { ${names.join(", ")} } from ${JSON.stringify(library)};\n`);
    await writeBundle({ name: "page", entry, format: "es" }, folder);
    return readFileSync(join(folder, "page.js"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a page that predicts and measures loads less than 150 kB of script, and no reader of scans", async () => {
  const bundle = await bundleOf(["openWebDevice", "loadModel", "Predictor", "objectsOf", "measured"]);
  expect(gzipSync(bundle).length).toBeLessThan(150_000);
  expect(bundle.includes("NIfTI")).toBe(false);
  expect(bundle.includes("node:")).toBe(false);
}, 120_000);

const refusal = async (scope: WebScope): Promise<string> => {
  const error: unknown = await openWebDevice({}, scope).catch((caught: unknown) => caught);
  if (!(error instanceof DeviceError)) throw new Error("it was opened, or failed otherwise");
  return error.message;
};

test("what a browser lacks is told in a sentence: a safe address, WebGPU, a GPU", async () => {
  const insecure = { isSecureContext: false, navigator: {}, location: { origin: "http://10.0.0.7" } };
  expect(await refusal(insecure)).toMatch(
    /without encryption \(http:\/\/10\.0\.0\.7\).*https:\/\/.*http:\/\/localhost/,
  );
  expect(await refusal({ isSecureContext: true, navigator: {} })).toMatch(
    /has no WebGPU.*Chrome and Edge from 113.*Safari.*Firefox/,
  );
  const gpu = { requestAdapter: async () => null } as unknown as GPU;
  expect(await refusal({ isSecureContext: true, navigator: { gpu } })).toMatch(/finds no GPU.*hardware acceleration/);
});

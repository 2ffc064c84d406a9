import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import { loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { saveTiny } from "../../support/checkpoint.ts";
import { fileServer, serve } from "../../support/file-server.ts";
import { openBrowser, openPage } from "./browser.ts";
import { bundles } from "./engine.ts";

const root = new URL("../../../", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "svanet-embed-"));

/** The lines of docs/library.md for a page, which leave the mask where the test finds it. */
function documented(): string {
  const page = readFileSync(new URL("docs/library.md", root), "utf8");
  const [, lines = ""] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  expect(lines.trim().split("\n").length).toBeLessThanOrEqual(16);
  const library = JSON.stringify(fileURLToPath(new URL("src/web/index.ts", root)));
  return `${lines.replace('"svanet/web"', library)}\nwindow.mask = [...mask.data];`;
}

test("the lines of the documentation segment an image in a page as Node does", async () => {
  try {
    const device = await openDevice();
    const checkpoint = join(folder, "best.safetensors");
    await saveTiny(device, checkpoint);
    const [width, height] = [40, 36];
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * i * 31 + (i % 97) * 5) & 255);
    const image = { width, height, channels: 3, data } as const;
    const { network, checkpoint: loaded } = await loadNetwork(device, checkpoint);
    const expected = await new Predictor(network, loaded).mask(image);
    device.close();
    const entry = join(folder, "page.js");
    writeFileSync(entry, documented());
    await bundles.writeBundle({ name: "bundle", entry, format: "es" }, folder);
    const files = new Map<string, Uint8Array>([
      ["/", new TextEncoder().encode('<title>page</title><script type="module" src="bundle.js"></script>')],
      ["/bundle.js", readFileSync(join(folder, "bundle.js"))],
      ["/best.safetensors", readFileSync(checkpoint)],
      ["/image.png", encodePng(image)],
    ]);
    const server = await fileServer((request, response) => {
      const path = request.url ?? "";
      const bytes = files.get(path);
      if (path === "/") response.setHeader("content-type", "text/html");
      if (path.endsWith(".js")) response.setHeader("content-type", "text/javascript");
      if (bytes) serve(bytes, request, response);
      else response.writeHead(204).end();
    });
    const browser = await openBrowser();
    const { page, errors } = await openPage(browser);
    await page.goto(server.address);
    await page.waitForFunction(() => "mask" in window);
    const mask = await page.evaluate(() => (window as unknown as { mask: number[] }).mask);
    expect(errors).toEqual([]);
    expect(mask).toHaveLength(width * height);
    const equal = mask.filter((label, at) => label === expected.data[at]).length;
    expect(equal / mask.length).toBeGreaterThan(0.999);
    expect(new Set(mask).size).toBeGreaterThan(1);
    await browser.close();
    await server.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

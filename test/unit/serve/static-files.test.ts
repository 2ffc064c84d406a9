import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoopbackServer, serveLoopback } from "../../../src/serve/loopback.ts";
import { folderAnswers } from "../../../src/serve/static-files.ts";

const scratch = mkdtempSync(join(tmpdir(), "svanet-"));
const folder = join(scratch, "page");
let server: LoopbackServer;

beforeAll(async () => {
  mkdirSync(join(folder, "examples"), { recursive: true });
  writeFileSync(join(folder, "index.html"), "<title>page</title>");
  writeFileSync(join(folder, "examples", "a b.png"), "png");
  writeFileSync(join(scratch, "secret.txt"), "secret");
  mkdirSync(join(scratch, "page-of-others"));
  writeFileSync(join(scratch, "page-of-others", "index.html"), "secret");
  symlinkSync(join(scratch, "secret.txt"), join(folder, "link.txt"));
  server = await serveLoopback(folderAnswers(folder));
});
afterAll(async () => {
  await server.close();
  rmSync(scratch, { recursive: true });
});

/** Asks for a path as it is written: fetch would take dots out. */
function ask(path: string, method = "GET"): Promise<{ status: number; type: string; body: string }> {
  return new Promise((done, failed) => {
    const asked = request({ host: "127.0.0.1", port: new URL(server.address).port, path, method }, (response) => {
      let body = "";
      response.on("data", (part) => {
        body += part;
      });
      response.on("end", () =>
        done({ status: response.statusCode ?? 0, type: String(response.headers["content-type"]), body }),
      );
    });
    asked.on("error", failed).end();
  });
}

test("files come with their type, the folder itself as its page", async () => {
  expect(await ask("/")).toEqual({ status: 200, type: "text/html; charset=utf-8", body: "<title>page</title>" });
  expect(await ask("/index.html?x=1")).toMatchObject({ status: 200, body: "<title>page</title>" });
  expect(await ask("/examples/a%20b.png")).toEqual({ status: 200, type: "image/png", body: "png" });
  expect(await ask("/", "HEAD")).toMatchObject({ status: 200, body: "" });
});

test.each([
  "/../secret.txt",
  "/%2e%2e/secret.txt",
  "/..%2fsecret.txt",
  "/examples/../../secret.txt",
  "/../page-of-others/",
  "/link.txt",
  "/examples",
  "/examples/",
  "/index.html%00.png",
  "/missing.js",
])("%s is not found: it lies outside, or is no file", async (path) => {
  expect((await ask(path)).status).toBe(404);
});

test("a folder without a page is refused, with the command that writes one", () => {
  expect(() => folderAnswers(scratch)).toThrow(
    `${scratch}: holds no page (index.html); svanet export web RUN --out ${scratch} writes one`,
  );
});

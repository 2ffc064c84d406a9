import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LiveReport } from "../../../src/experiment/report/live.ts";
import { serveReport } from "../../../src/experiment/report/view-server.ts";
import { RunFolder } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { type LoopbackServer, serveLoopback } from "../../../src/serve/loopback.ts";

const scratch = mkdtempSync(join(tmpdir(), "svanet-"));
const folder = join(scratch, "run");
const run = RunFolder.create(folder, resolveConfig({ data: "d", out: folder, classes: 2, steps: 3 }));
let live: LiveReport;
let server: LoopbackServer;

beforeAll(async () => {
  run.record({ step: 1, kind: "train", epoch: 0, loss: 0.75, rate: 1e-3 });
  live = await LiveReport.open([folder], (text) => {
    throw new Error(text);
  });
  server = await serveReport(live);
});
afterAll(async () => {
  await server.close();
  live.close();
  run.close();
  rmSync(scratch, { recursive: true });
});

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks for a path just as it is written, as no browser would; `until` ends an answer that has no end. */
async function ask(path: string, { method = "GET", headers = {} }: Asked = {}, until = (_text: string) => false) {
  const { hostname, port } = new URL(server.address);
  return new Promise<{ status: number; text: string; type: string }>((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      let text = "";
      const answer = () => ({ status: response.statusCode ?? 0, text, type: response.headers["content-type"] ?? "" });
      response.on("data", (chunk) => {
        text += chunk;
        if (!until(text)) return;
        resolve(answer());
        asked.destroy();
      });
      response.on("end", () => resolve(answer()));
    });
    asked.on("error", reject);
    asked.end();
  });
}

const pagePath = () => new URL(server.address).pathname;

test("the page is served to who has the whole address, on 127.0.0.1 alone", async () => {
  expect(server.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/$/);
  const page = await ask(pagePath());
  expect([page.status, page.type]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.text).toContain('"loss":[0.75]');
  expect(page.text).toContain(`{"events":"${pagePath()}events"}`);
  expect((await ask(pagePath(), { method: "HEAD" })).text).toBe("");
  const { port } = new URL(server.address);
  expect((await ask(pagePath(), { headers: { host: `localhost:${port}` } })).status).toBe(200);
});

test("every other token, path, name, origin and method is refused", async () => {
  const { port, origin } = new URL(server.address);
  const page = pagePath();
  const outside = ["/", "/events", `/${"A".repeat(22)}/`, `/${"A".repeat(22)}/events`, page.slice(0, -1)];
  const files = ["config.yaml", "../config.yaml", "..%2f..%2fetc/passwd", "%2e%2e/run/config.yaml", "events/x", "\\x"];
  for (const path of [...outside, ...files.map((file) => page + file)]) {
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
  }
  expect((await ask(`${page}%zz`)).status).toBe(400);
  for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1", `127.0.0.1.evil.example:${port}`]) {
    expect([host, (await ask(page, { headers: { host } })).status]).toEqual([host, 403]);
  }
  for (const from of ["http://evil.example", "null", `https://127.0.0.1:${port}`]) {
    expect([from, (await ask(page, { headers: { origin: from } })).status]).toEqual([from, 403]);
  }
  expect((await ask(page, { headers: { origin } })).status).toBe(200);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    expect([method, (await ask(page, { method })).status]).toEqual([method, 405]);
  }
});

test("several viewers get what is recorded, and are told when the run has ended", async () => {
  const viewers = [1, 2].map(() => ask(`${pagePath()}events`));
  await sleep(50);
  run.record({ step: 2, kind: "train", epoch: 0, loss: 0.5, rate: 1e-3 });
  const first = await ask(`${pagePath()}events`, {}, (text) => text.includes("0.5"));
  expect(first.type).toBe("text/event-stream; charset=utf-8");
  run.record({ step: 3, kind: "train", epoch: 0, loss: 0.25, rate: 1e-3 });
  for (const { text } of await Promise.all(viewers)) {
    const losses = [...text.matchAll(/^data: (\{.*\})$/gm)].map(
      ([, json = ""]) => JSON.parse(json).runs[0].curves.train,
    );
    expect(losses.at(0).loss).toEqual([0.75]);
    expect(losses.at(-1).loss).toEqual([0.75, 0.5, 0.25]);
    expect(text).toMatch(/\nevent: end\ndata: \n\n$/);
  }
}, 60_000);

test("a port that is taken is told by its flag", async () => {
  const port = Number(new URL(server.address).port);
  await expect(serveLoopback(() => undefined, port)).rejects.toThrow(
    `--port ${port}: is in use by another program; choose another, or leave it out for a free one`,
  );
});

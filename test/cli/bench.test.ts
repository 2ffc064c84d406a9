import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { TABLE_VII } from "../../src/experiment/study/paper.ts";
import { svanet, svanetJson } from "../support/svanet.ts";

const SMALL = ["--size", "64", "--width", "8", "--encoder", "mini"];
const number = expect.any(Number);

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "svanet-bench-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const header = {
  ...{ adapter: expect.any(String), driver: expect.any(String), machine: expect.any(String) },
  ...{ date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), command: expect.stringMatching(/^svanet bench /) },
};

test("bench fps is the paper's Table VII, a network that does not fit a row that says why", () => {
  const rows = svanetJson("bench", "fps", "--size", "40", ...SMALL.slice(2), "--runs", "4") as Record<
    string,
    unknown
  >[];
  expect(rows.map(({ preset }) => preset)).toEqual([...TABLE_VII]);
  const refused = rows.filter(({ refusal }) => refusal !== null);
  expect(refused.map(({ preset }) => preset)).toEqual(["svanet"]);
  for (const row of refused) expect(row).toMatchObject({ refusal: expect.stringContaining("40"), header });
  const measured = rows.filter(({ refusal }) => refusal === null);
  expect(measured).toHaveLength(TABLE_VII.length - 1);
  for (const row of measured) {
    expect(row).toMatchObject({
      ...{ name: expect.any(String), size: 40, batch: 1, classes: 8, precision: "f32", runs: 4, header },
      ...{
        parameters: number,
        macs: number,
        profiledMacs: number,
        executedMacs: number,
        gpuMs: number,
        peakBytes: number,
      },
      ...{ meanMs: number, medianMs: number, p95Ms: number, gflops: number, ceilingGflops: number, share: number },
      paper: { parametersM: number, macsG: number, fps: number },
    });
    expect(row["fps"]).toBeCloseTo(1000 / Number(row["meanMs"]), 6);
  }
});

test("a network that is asked for alone and does not fit is an error; several may be named", () => {
  const alone = svanet("bench", "fps", "--size", "40", ...SMALL.slice(2), "--model", "svanet");
  expect(alone).toMatchObject({ status: 2, stdout: "" });
  expect(alone.stderr).toContain("40");
  const both = ["--model", "unet", "--model", "transnetr", "--size", "64", "--width", "8", "--runs", "1"];
  const { stdout, stderr } = svanet("bench", "fps", ...both, "--batch", "2");
  expect(stdout).toMatch(/UNet +unet .*34\.53 M.*200\.75 G.*22\.76/);
  expect(stdout).toMatch(/TransNetR +transnetr .*27\.27 M/);
  expect(stderr).not.toContain("runs, which fill");
});

test("bench train measures whole steps and their memory", () => {
  const rows = svanetJson("bench", "train", ...SMALL, "--model", "svanet", "--batch", "2", "--steps", "3");
  expect(rows).toMatchObject([
    {
      ...{ preset: "svanet", batch: 2, steps: 3, stepsPerSecond: number, imagesPerSecond: number, peakBytes: number },
      ...{ gpuMs: number, paper: { fps: 46.91 }, refusal: null, header },
    },
  ]);
});

test("bench growth holds time against MACs, and draws it", async () => {
  const svg = join(await temporaryFolder(), "growth.svg");
  const lists = ["--sizes", "32,64", "--batches", "1,2", "--widths", "4,8", "--budget", "0.2"];
  const network = ["--model", "transnetr", "--size", "64", "--width", "8"];
  const growth = svanetJson("bench", "growth", ...network, ...lists, "--svg", svg) as {
    readonly rows: readonly { readonly size: number; readonly batch: number; readonly width: number }[];
  };
  expect(growth.rows.map(({ size, batch, width }) => [size, batch, width])).toEqual([
    [32, 1, 8],
    [64, 1, 8],
    [64, 2, 8],
    [64, 1, 4],
  ]);
  expect(growth).toMatchObject({ preset: "transnetr", largestDeviation: number, header });
  for (const row of growth.rows) expect(row).toMatchObject({ floorMs: number, expectedMs: number, deviation: number });
  expect(await readFile(svg, "utf8")).toMatch(/^<svg [\s\S]*transnetr: inference as it grows[\s\S]*<\/svg>\n$/);
});

test("bench ops checks and times forward and backward passes beside the ceiling", () => {
  const { ceiling, rows } = svanetJson("bench", "ops", "--filter", "conv 3x3 dilated") as {
    readonly ceiling: { readonly ratio: number; readonly best: unknown };
    readonly rows: readonly unknown[];
  };
  expect(ceiling).toMatchObject({ best: { gflops: number }, scalar: { gflops: number }, ratio: number });
  const figures = { op: "conv 3x3 dilated", gflops: number, share: number, refusal: null };
  expect(rows).toMatchObject(["forward", "grad x", "grad weight"].map((pass) => ({ ...figures, pass })));
});

test("bench profile lists the kernels of a run", () => {
  const [table] = svanetJson("bench", "profile", ...SMALL, "--rounds", "1") as { readonly rows: readonly unknown[] }[];
  expect(table?.rows.length).toBeGreaterThan(10);
  expect(table?.rows[0]).toMatchObject({ label: expect.any(String), dispatches: number, milliseconds: number });
});

test("bench host tells what a dispatch costs the host, by encoding and submit", () => {
  const [row] = svanetJson("bench", "host", ...SMALL, "--runs", "5") as readonly Record<string, unknown>[];
  const spread = { median: number, p05: number, p95: number, samples: 5 };
  expect(row).toMatchObject({ preset: "svanet", train: false, runs: 5, encode: spread, submit: spread, total: spread });
  // The first submit is short: the GPU works while the rest is encoded.
  expect(row?.["submits"]).toBeGreaterThan(2);
});

test("bench loading, which needs no adapter, has the header of all benches", () => {
  const result = svanetJson("bench", "loading", "--images", "2", "--rounds", "1") as {
    readonly rows: readonly unknown[];
  };
  expect(result).toMatchObject({ header });
  expect(result.rows).toHaveLength(4);
});

test("the header names adapter, driver, machine and command", () => {
  const { stderr } = svanet("bench", "profile", ...SMALL, "--rounds", "1");
  expect(stderr).toContain("$ svanet bench profile --size 64 --width 8 --encoder mini --rounds 1\n");
  expect(stderr).toMatch(/\n.+ \(.+, .+\); .+, \d+ cores, \d+ GiB; Node v\d+/);
});

test("bench start-up measures the demo's first step", () => {
  const result = svanetJson("bench", "start-up", "--here") as { readonly seconds: number; readonly pipelines: number };
  expect(result).toMatchObject({ seconds: number, compileSeconds: number, stepSeconds: number, dispatches: number });
  // Every pipeline costs a tenth of a second or more on a machine that has never seen it.
  expect(result.pipelines).toBeLessThan(150);
});

test("an unknown bench is wrong usage", () => {
  expect(svanet("bench", "fsp")).toMatchObject({ status: 2, stdout: "" });
});

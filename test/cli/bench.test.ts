import { expect, test } from "vitest";
import { ZOO } from "../../src/model/zoo.ts";
import { svanet, svanetJson } from "../support/svanet.ts";

const SMALL = ["--size", "64", "--width", "8", "--encoder", "mini"];
const number = expect.any(Number);

test("bench fps measures every network of the zoo", () => {
  const rows = svanetJson("bench", "fps", ...SMALL, "--runs", "5") as {
    readonly preset: string;
    readonly fps: number;
  }[];
  expect(rows.map(({ preset }) => preset)).toEqual(ZOO.map(({ name }) => name));
  for (const row of rows) {
    expect(row).toMatchObject({
      ...{ name: expect.any(String), size: 64, batch: 1, classes: 8, precision: "f32", runs: 5 },
      ...{ parameters: number, macs: number, executedMacs: number, fps: number, p95Ms: number },
      ...{ gflops: number, ceilingGflops: number, share: number },
      header: {
        adapter: expect.any(String),
        driver: expect.any(String),
        command: expect.stringMatching(/^svanet bench/),
      },
    });
    expect(row.fps).toBeGreaterThan(0);
  }
});

test("bench train measures whole steps and their memory", () => {
  const rows = svanetJson("bench", "train", ...SMALL, "--model", "svanet", "--batch", "2", "--steps", "3");
  expect(rows).toMatchObject([
    { preset: "svanet", batch: 2, steps: 3, stepsPerSecond: number, imagesPerSecond: number, peakBytes: number },
  ]);
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

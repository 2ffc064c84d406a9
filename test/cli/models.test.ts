import { expect, test } from "vitest";
import { ZOO } from "../../src/model/zoo.ts";
import { svanet, svanetJson } from "../support/svanet.ts";

interface Row {
  readonly preset: string;
  readonly difference: string | null;
  readonly parameters: number;
  readonly profiledMacs: number;
  readonly peakBytes: { readonly infer: number; readonly train: number };
  readonly leastBytes: { readonly infer: number; readonly train: number };
  readonly dispatches: { readonly infer: number; readonly train: number };
}

const NO_GPU = ["models", "--model", "svanet", "--size", "64", "--width", "8", "--encoder", "mini"];

test("every network, those of the paper with the counts it prints", () => {
  const rows = svanetJson("models") as Row[];
  expect(rows.map(({ preset }) => preset)).toEqual(ZOO.map(({ name }) => name));
  expect(rows[0]?.parameters).toBe(177_635_576);
  expect(rows[3]).toMatchObject({ name: "UNet", paper: { parametersM: 34.53 }, parameters: 34_527_496 });
  expect(rows[3]?.difference).toContain("448x448");
  expect(rows[0]).toMatchObject({ name: "SvANet", paper: { parametersM: 177.64, macsG: 312.76 } });
  expect(((rows[0]?.profiledMacs ?? 0) / 1e9).toFixed(2)).toBe("312.76");
  for (const { parameters, peakBytes, leastBytes, dispatches } of rows) {
    // Weights in inference; in training gradients and two moments as well, and all that backward keeps.
    expect(peakBytes.infer).toBeGreaterThan(4 * parameters);
    expect(peakBytes.infer).toBeLessThan(2 ** 31);
    expect(peakBytes.train).toBeGreaterThan(16 * parameters);
    expect(peakBytes.train / leastBytes.train).toBeLessThan(1.05);
    expect(peakBytes.infer / leastBytes.infer).toBeLessThan(1.2);
    expect(dispatches.infer).toBeGreaterThan(20);
    expect(dispatches.train).toBeGreaterThan(2 * dispatches.infer);
  }
});

test("outputs by name with their weights, and the published loss", () => {
  const [cfanet] = svanetJson("models", "--model", "cfanet", "--size", "64", "--width", "8") as Row[];
  expect(cfanet).toMatchObject({
    publishedLoss: "structure",
    outputs: [
      { name: "head", kind: "classes", weight: 1 },
      { name: "side.0", kind: "classes", weight: 1 },
      { name: "side.1", kind: "classes", weight: 1 },
      { name: "edge_head", kind: "edges", weight: 1 },
    ],
  });
  const { stderr } = svanet("models", "--model", "pspnet", "--size", "64", "--width", "8");
  expect(stderr).toContain("pspnet: head 1, aux 0.4");
});

test("memory grows with the batch", () => {
  const [one] = svanetJson(...NO_GPU, "--batch", "2") as Row[];
  const [four] = svanetJson(...NO_GPU, "--batch", "8") as Row[];
  for (const kind of ["infer", "train"] as const) {
    expect(four?.peakBytes[kind]).toBeGreaterThan(one?.peakBytes[kind] ?? Number.POSITIVE_INFINITY);
  }
});

test("a network and a size that do not exist are wrong usage", () => {
  const unknown = svanet("models", "--model", "svanett");
  expect(unknown).toMatchObject({ status: 2, stdout: "" });
  expect(unknown.stderr).toContain("svanet: there is no network svanett.");
  expect(svanet("models", "--size", "100").stderr).toContain("it must be a multiple of 32, such as 96 or 128");
});

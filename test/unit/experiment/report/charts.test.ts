import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeCharts } from "../../../../src/experiment/report/chart-files.ts";
import { type EvaluatedRun, imageScores } from "../../../../src/experiment/report/charts/groups.ts";
import { meanCurve } from "../../../../src/experiment/report/charts/roc.ts";
import { curvesOf, pointsPerRun } from "../../../../src/experiment/report/curves.ts";
import { worstSquare } from "../../../../src/experiment/report/zoom.ts";
import { madeReport } from "../../../support/report-data.ts";

test("the charts are files as well, by the specifications of the page", async () => {
  const folder = mkdtempSync(join(tmpdir(), "svanet-charts-"));
  const ids = await writeCharts(folder, madeReport({ groups: ["svanet", "unet"], repeats: 2, images: 5 }));
  expect(ids).toEqual([
    ...["loss", "rate", "validation-loss", "foreground-dice", "mdice", "miou", "mdice-by-size-cells", "roc-cells"],
    ...["dice-by-size-cells-svanet", "confusion-cells-svanet", "dice-by-size-cells-unet", "confusion-cells-unet"],
  ]);
  expect(readdirSync(folder).sort()).toEqual(ids.flatMap((id) => [`${id}.png`, `${id}.svg`]).sort());
  const matrix = readFileSync(join(folder, "confusion-cells-svanet.svg"), "utf8");
  for (const text of ["90.00", "10.00", "25.00", "75.00", "labelled", "predicted"])
    expect(matrix).toContain(`>${text}</text>`);
  const png = readFileSync(join(folder, "roc-cells.png"));
  expect(png.readUInt32BE(16)).toBeGreaterThan(1400); // 480 of 96 an inch at 300 an inch
  rmSync(folder, { recursive: true });
});

test("a mean ROC curve is the mean of the rates at equal false positive rates, steps taken at their upper end", () => {
  const roc = { set: "", split: "", scoredAt: "", area: 0 };
  const upright = { ...roc, falsePositiveRate: [0, 0, 1], truePositiveRate: [0, 1, 1] };
  const diagonal = { ...roc, falsePositiveRate: [0, 1], truePositiveRate: [0, 1] };
  const mean = meanCurve([upright, diagonal]);
  expect(mean[0]).toEqual({ x: 0, y: 0 });
  expect(mean.at(-1)).toEqual({ x: 1, y: 1 });
  for (const { x, y } of mean.slice(1)) expect(y).toBeCloseTo((1 + x) / 2, 12);
});

test("an image's score is the mean over the runs that scored it, worst first", () => {
  const run = (images: readonly number[], dice: readonly (number | null)[]) =>
    ({ evaluation: { images, dice } }) as unknown as EvaluatedRun;
  expect(imageScores([run([0, 1, 2], [50, 10, null]), run([0, 3], [70, 5])])).toEqual([
    { image: 3, dice: 5 },
    { image: 1, dice: 10 },
    { image: 0, dice: 60 },
  ]);
});

test("long curves are averaged in stretches that end where their points stand; what is no number is left out of a mean", () => {
  const rows = Array.from({ length: 10 }, (_, i) => ({
    step: i + 1,
    kind: "train",
    loss: i === 0 ? null : i,
    rate: 1,
  }));
  expect(curvesOf(rows, 4).train).toEqual({ step: [3, 6, 9, 10], loss: [1.5, 4, 7, 9], rate: [1, 1, 1, 1], per: 3 });
  const val = Array.from({ length: 9 }, (_, i) => ({ step: i, kind: "val", mDice: i }));
  expect(curvesOf(val, 4).val).toMatchObject({
    step: [0, 3, 6, 8],
    mDice: [0, 3, 6, 8],
    loss: [null, null, null, null],
  });
  expect([1, 40, 1000].map(pointsPerRun)).toEqual([400, 150, 60]);
});

test("the enlarged square is where the masks are wrong, else where the objects are; ignored pixels do not count", () => {
  const map = (labels: Readonly<Record<number, number>>) => {
    const data = new Uint8Array(12 * 9);
    for (const [at, label] of Object.entries(labels)) data[Number(at)] = label;
    return { width: 12, height: 9, channels: 1, data };
  };
  const truth = map({ 0: 255, [5 * 12 + 10]: 1 });
  const size = { width: 3, height: 3 };
  expect(worstSquare(truth, [truth, map({ 0: 1, [5 * 12 + 10]: 1, [2 * 12 + 4]: 1 })])).toEqual({
    left: 2,
    top: 0,
    ...size,
  });
  expect(worstSquare(truth, [truth])).toEqual({ left: 8, top: 3, ...size });
});

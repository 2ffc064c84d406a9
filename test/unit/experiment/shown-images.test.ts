import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodePng } from "../../../src/data/codec/png.ts";
import { writePng } from "../../../src/data/decode.ts";
import { filled } from "../../../src/data/image/image.ts";
import { VERDICTS } from "../../../src/experiment/evaluate/overlay.ts";
import { hyperParameters } from "../../../src/experiment/settings/hyper-parameters.ts";
import { shownImage, shownSamples } from "../../../src/experiment/train/shown-images.ts";
import { namedSample, tinyStudy } from "../../support/study.ts";

const tagsOf = (samples: Parameters<typeof shownSamples>[0]) => [...shownSamples(samples).values()];

test("the images with the smallest, median and largest foreground are shown; none without an object, none twice", () => {
  const samples = [300, 0, 100, 900, 200, 100].map((pixels, i) => namedSample("val", `v${i}`, pixels));
  expect(tagsOf(samples)).toEqual([
    "val/smallest foreground/v2",
    "val/median foreground/v4",
    "val/largest foreground/v3",
  ]);
  expect(tagsOf(samples.slice(0, 1))).toEqual(["val/smallest foreground/v0"]);
  expect(tagsOf(samples.slice(1, 2))).toEqual([]);
});

test("a picture is at most 256 pixels long and shows what was found, missed and wrongly found", async () => {
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  const image = join(folder, "a.png");
  await writePng(image, filled({ width: 600, height: 300 }, 3, 0));
  const map = { width: 4, height: 1, prediction: [0, 1, 0, 1], target: [0, 1, 1, 0] };
  const { width, height, png } = await shownImage({ ...map, sample: { ...namedSample("val", "a"), image } });
  expect([width, height]).toEqual([256, 128]);
  const { samples: data } = decodePng(Buffer.from(png), "a");
  const colourAt = (x: number) => Array.from(data.slice(3 * (64 * 256 + x), 3 * (64 * 256 + x) + 3));
  const tint = (share: number, colour: readonly number[]) => colour.map((value) => Math.round(share * value));
  expect([32, 96, 160, 224].map(colourAt)).toEqual([
    [0, 0, 0],
    tint(0.3, VERDICTS.hit),
    tint(0.6, VERDICTS.missed),
    tint(0.6, VERDICTS.false),
  ]);
});

test("hyper-parameters are the recipe in plain values, without what is off or only says how it is computed", () => {
  const settings = hyperParameters(tinyStudy({ lr: 1e-3, layerRates: { "a.b": 0.5 }, mcSizes: [1, 2], workers: 3 }));
  expect(settings).toMatchObject({ lr: 1e-3, layerRates: "a.b=0.5", mcSizes: "1,2", amp: false, size: "64" });
  for (const name of ["workers", "out", "resume", "clipNorm"]) expect(settings).not.toHaveProperty(name);
});

import { expect, test } from "vitest";
import { filled } from "../../../src/data/image/image.ts";
import { channelMean, colourOf, featurePage } from "../../../src/experiment/predict/feature-page.ts";
import { requireTaps, tapsOf } from "../../../src/experiment/predict/features.ts";
import { SVANET_PRESETS, scaled } from "../../../src/model/svanet/config.ts";
import { fromZoo } from "../../../src/model/zoo.ts";

const tiny = { ...scaled(SVANET_PRESETS.svanet, 4), encoder: "mini", height: 64, width: 64 } as const;

test("every part that the paper's figures show is a map, in front of it and behind", () => {
  const names = tapsOf(tiny).map(({ name }) => name);
  for (const name of ["neck.3.bottleneck", "neck.3", "guide.0-2.ungated", "guide.0-2", "link.1.joint", "link.1"]) {
    expect(names).toContain(name);
  }
  expect(new Set(names).size).toBe(names.length);
  expect(tapsOf(tiny).find(({ name }) => name === "neck.3")).toMatchObject({ width: 4, height: 4, channels: 16 });
  expect(tapsOf({ ...tiny, neck: false, guidance: false }).map(({ name }) => name)).not.toContain("neck.3.bottleneck");
  expect(() => requireTaps(tiny, ["nek.3"], "net")).toThrow("--at nek.3: net has no such map. Did you mean neck.3?");
  expect(() => requireTaps(fromZoo("unet").config, ["neck.3"], "net")).toThrow("a unet names none");
});

test("colours go from low to high on one scale, evenly between the anchors", () => {
  const scale = { low: -1, high: 3 };
  expect(colourOf(-1, scale)).toEqual([68, 1, 84]);
  expect(colourOf(3, scale)).toEqual([253, 231, 37]);
  expect(colourOf(9, scale)).toEqual([253, 231, 37]);
  expect(colourOf(1, scale)).toEqual([33, 145, 140]);
  expect(colourOf(1.25, scale)).toEqual([37, 160, 134]);
  expect(colourOf(5, { low: 5, high: 5 })).toEqual([68, 1, 84]);
});

test("a page has a row for each network and one scale over all that it shows", () => {
  const map = (values: readonly number[]) => ({
    ...{ name: "neck.0", height: 1, width: 2, channels: 3 },
    data: Float32Array.from(values),
  });
  const [one, two] = [map([0, 1, 2, 3, 4, 99]), map([-7, 0, 0, 0, 0, 0])];
  expect([...channelMean(one)]).toEqual([1, 106 / 3].map(Math.fround));
  const image = filled({ width: 64, height: 64 }, 3, 10);
  const single = featurePage([{ label: "a", image, map: one }], 2);
  // The third channel is not drawn, but the mean over all channels is.
  expect(single.scale).toEqual({ low: 0, high: Math.fround(106 / 3) });
  const both = featurePage(
    [
      { label: "a", image, map: one },
      { label: "b", image, map: two },
    ],
    2,
  );
  expect(both.scale).toEqual({ low: -7, high: Math.fround(106 / 3) });
  expect(both.page.width).toBe(single.page.width);
  expect(both.page.height).toBeGreaterThan(single.page.height + 60);
});

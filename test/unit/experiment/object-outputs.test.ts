import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ByteImage } from "../../../src/data/image/image.ts";
import { requireAlike } from "../../../src/experiment/checkpoint/ensemble.ts";
import { type Format, Outputs } from "../../../src/experiment/predict/outputs.ts";
import type { CheckpointFacts } from "../../../src/inference/checkpoint/facts.ts";
import type { Member } from "../../../src/inference/member.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import { rgb } from "../../support/fake-network.ts";
import { scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

const CLASSES = [
  { name: "background", colour: [0, 0, 0] },
  { name: "cell", colour: [1, 2, 3] },
  { name: "speck", colour: [4, 5, 6] },
] as const;

const mask = (rows: readonly string[]): ByteImage => ({
  width: rows[0]?.length ?? 0,
  height: rows.length,
  channels: 1,
  data: Uint8Array.from(rows.join(""), Number),
});

const TOUCHING = mask([
  "0000000000000",
  "0111100011110",
  "0111111111110",
  "0111111111110",
  "0111100011110",
  "0000000000000",
]);

function written(name: string, formats: readonly Format[], depths?: readonly (number | null)[]) {
  const folder = join(scratch.path, name);
  mkdirSync(folder);
  const outputs = new Outputs({ folder, formats, classes: CLASSES, depths });
  const own = outputs.open({ file: "a/b.png", stem: "b", isScan: false, pixelSize: [0.5, 0.5] });
  const probability = Float32Array.from({ length: TOUCHING.data.length }, (_, at) => (at % 13 < 6 ? 0.75 : 0.5));
  own.add(TOUCHING, { certainty: { probability, deviation: new Float32Array(TOUCHING.data.length).fill(0.125) } });
  const files = own.finish();
  outputs.finish();
  const table = (file: string) => {
    const [titles = "", ...rows] = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
    return rows.map((row) => Object.fromEntries(row.split(",").map((cell, at) => [titles.split(",")[at], cell])));
  };
  return { folder, files, table };
}

describe("tables of objects", () => {
  test("touching objects are parted and measured in pixels and millimetres, with how sure each is", () => {
    const { table } = written("parted", ["csv"], [0.5, null]);
    const [one, two, ...others] = table("objects.csv");
    expect(others).toEqual([]);
    expect([one?.["object"], two?.["object"], one?.["class_name"]]).toEqual(["1", "2", "cell"]);
    const sum = (key: string) => Number(one?.[key]) + Number(two?.[key]);
    expect(sum("area_px")).toBe(38);
    expect(sum("area_mm2")).toBe(9.5);
    expect(Number(one?.["feret_max_mm"])).toBeCloseTo(Number(one?.["feret_max_px"]) / 2, 12);
    expect(Number(one?.["mean_probability"])).toBeGreaterThan(0.7);
    expect(Number(two?.["mean_probability"])).toBeLessThan(0.6);
    expect([one?.["disagreement"], one?.["at_edge"], one?.["slice"]]).toEqual(["0.125", "0", ""]);
    expect(
      table("counts.csv").map((row) => [row["image"], row["class"], row["objects"], row["area_px"], row["area_mm2"]]),
    ).toEqual([
      ["b.png", "1", "2", "38", "9.5"],
      ["b.png", "2", "0", "0", ""],
    ]);
  });

  test("without a depth they are one; GeoJSON and COCO tell what was measured", () => {
    const { folder, table, files } = written("whole", ["csv", "geojson", "coco"]);
    expect(table("objects.csv").map((row) => row["area_px"])).toEqual(["38"]);
    expect(files).toMatchObject({ csv: join(folder, "objects.csv"), coco: join(folder, "coco.json") });
    const [feature] = JSON.parse(readFileSync(join(folder, "b.geojson"), "utf8")).features;
    expect(feature.properties.measurements).toMatchObject({ area_px: 38, area_mm2: 9.5, disagreement: 0.125 });
    const [annotation] = JSON.parse(readFileSync(join(folder, "coco.json"), "utf8")).annotations;
    expect(annotation.score).toBe(feature.properties.measurements.mean_probability);
  });

  test("other forms are as they were where no table is asked for", () => {
    const { folder } = written("plain", ["geojson", "coco"]);
    const [feature] = JSON.parse(readFileSync(join(folder, "b.geojson"), "utf8")).features;
    expect(Object.keys(feature.properties)).toEqual(["objectType", "classification"]);
    const [annotation] = JSON.parse(readFileSync(join(folder, "coco.json"), "utf8")).annotations;
    expect(annotation.score).toBeUndefined();
  });

  test("an image without objects leaves titles and counts of 0", () => {
    const folder = join(scratch.path, "empty");
    mkdirSync(folder);
    const outputs = new Outputs({ folder, formats: ["csv"], classes: CLASSES });
    const own = outputs.open({ file: "e.png", stem: "e", isScan: false });
    own.add(mask(["000", "000"]));
    own.finish();
    outputs.finish();
    expect(readFileSync(join(folder, "objects.csv"), "utf8").split("\n")).toHaveLength(2);
    expect(readFileSync(join(folder, "counts.csv"), "utf8").split("\n")[1]).toBe("e.png,,1,cell,0,0,0,0,,,");
  });
});

/** A network whose probability of class 1 is a share of red, without a GPU; pictures have its size of 8x8. */
function member(share: number): Member {
  const inference = async () => {
    let red = new Float32Array();
    const scores = () =>
      Float32Array.from({ length: 2 * red.length }, (_, i) => {
        const one = share * (red[i >> 1] ?? 0);
        return i & 1 ? one : 1 - one;
      });
    const classes = () => Int32Array.from(red, (value) => (share * value > 0.5 ? 1 : 0)).buffer;
    return {
      program: {
        run() {},
        read: async () => scores(),
        readAll: async (values: readonly unknown[]) => [classes(), scores().buffer].slice(0, values.length),
        destroy() {},
      },
      feed: (_: unknown, image: Float32Array) => {
        red = image.filter((_value, i) => i % 3 === 0);
      },
      classes: {},
      probabilities: {},
    };
  };
  const network = { config: { width: 8, height: 8, classes: 2 }, inference };
  const facts = { mean: [0, 0, 0], std: [1, 1, 1] };
  return { network, checkpoint: { facts } } as unknown as Member;
}

describe("several networks", () => {
  const image = rgb(8, 8);
  const redOf = ({ data }: ByteImage) =>
    Float32Array.from({ length: data.length / 3 }, (_, at) => (data[3 * at] ?? 0) / 255);
  const of = (one: Member, further: Member[], options = {}) =>
    new Predictor(one.network, one.checkpoint, { ...options, further });

  test.each([
    ["whole", image, {}],
    ["with views", image, { views: true }],
    ["in tiles", rgb(16, 8), { tiles: { size: { width: 8, height: 8 }, overlap: 0.5 } }],
  ])("%s: probabilities are the mean of both, the deviation half their difference", async (_, picture, options) => {
    const { mask: found, certainty } = await of(member(1), [member(0.5)], options).find(picture);
    for (const [at, value] of redOf(picture).entries()) {
      const mean = 0.75 * value;
      expect(found.data[at]).toBe(mean > 0.5 ? 1 : 0);
      expect(certainty.probability[at]).toBeCloseTo(Math.max(mean, 1 - mean), 5);
      expect(certainty.deviation?.[at]).toBeCloseTo(0.25 * value, 2);
    }
  });

  test("the mask alone is the same, and one network alone has no deviation", async () => {
    const both = await of(member(1), [member(0.5)]).find(image);
    expect(await of(member(1), [member(0.5)]).mask(image)).toEqual(both.mask);
    const alone = await of(member(1), []).find(image);
    expect(alone.certainty.deviation).toBeUndefined();
    expect(alone.mask).toEqual(await of(member(1), []).mask(image));
  });
});

describe("checkpoints that cannot be averaged", () => {
  const facts = { classes: ["background", "cell"], config: { width: 64, height: 64 } } as unknown as CheckpointFacts;
  const named = (change: object) => [
    { path: "a", facts },
    { path: "b", facts: { ...facts, ...change } as CheckpointFacts },
  ];

  test.each([
    [{ classes: ["background", "polyp"] }, "classes: background, cell and background, polyp"],
    [{ config: { width: 128, height: 64 } }, "size of the network's input: 64x64 and 128x64"],
    [{ window: { low: -160, high: 240 } }, "window: none and -160 to 240"],
    [
      { resolution: "native" as const },
      "resolution that it sees: the whole image, stretched and patches of the image's own",
    ],
    [{ channels: { names: ["T1"], windows: [] } }, "channels: red, green, blue and 1 channel (T1)"],
  ])("%j", (change, text) => {
    expect(() => requireAlike(named(change))).toThrow(`a and b cannot be averaged: ${text}; give checkpoints`);
  });

  test("means of pixels may differ", () => {
    expect(() => requireAlike(named({ mean: [0.1, 0.2, 0.3] }))).not.toThrow();
  });
});

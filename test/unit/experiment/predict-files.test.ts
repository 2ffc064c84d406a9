import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { predictFiles } from "../../../src/cli/commands/predict-files.ts";
import { FileFailures } from "../../../src/cli/file-failures.ts";
import { decodePng } from "../../../src/data/codec/png.ts";
import { readImage, readMask, writePng } from "../../../src/data/decode.ts";
import { openNifti } from "../../../src/data/formats/nifti-file.ts";
import { ZipArchive } from "../../../src/data/formats/zip.ts";
import { DataError, DeviceError, OutputError } from "../../../src/errors.ts";
import type { Format } from "../../../src/experiment/predict/outputs.ts";
import { checkTargets, listInputs } from "../../../src/experiment/predict/predict-inputs.ts";
import { montageSlices } from "../../../src/experiment/predict/prediction-page.ts";
import type { CheckpointFacts } from "../../../src/inference/checkpoint/facts.ts";
import { cocoMask, cocoRuns, evenOdd, readRoi } from "../../support/exported.ts";
import { fakeNetwork } from "../../support/fake-network.ts";
import { niftiBytes } from "../../support/raw/nifti.ts";
import { scratchFolder } from "../../support/training.ts";

const SCRATCH = scratchFolder();
const at = (...names: string[]) => join(SCRATCH.path, ...names);
afterAll(() => SCRATCH.remove());

const SIDE = 8;
const ROWS = ["........", ".###....", ".#.#..##", ".###..##", "........", "#......#", ".#....#.", "........"];
const MASK = [...ROWS.join("")].map((mark) => (mark === "#" ? 1 : 0));
/** Objects of it: a ring with a hole, a square, and two diagonals. */
const OBJECTS = 4;
const EVERY: readonly Format[] = ["png", "nifti", "coco", "geojson", "rois", "labels"];
const FACTS = {
  config: { classes: 2 },
  classes: ["background", "cell/one"],
  colours: [
    [0, 0, 0],
    [255, 176, 0],
  ],
} as unknown as CheckpointFacts;

/** A picture in which the fake network finds the mask: red above half. */
const picture = () => {
  const data = Uint8Array.from({ length: 3 * MASK.length }, (_, i) => 30 + 200 * (MASK[Math.floor(i / 3)] ?? 0));
  return { width: SIDE, height: SIDE, channels: 3, data } as const;
};

beforeAll(async () => {
  mkdirSync(at("in"));
  mkdirSync(at("scans"));
  for (const name of ["a.png", "c.png"]) await writePng(at("in", name), picture());
  writeFileSync(at("in", "b.png"), "no picture");
  // The mask in slices 2 and 5 of seven, mirrored as RAS stores it.
  const value = (index: number) => {
    const [x, y, z] = [index % SIDE, Math.floor(index / SIDE) % SIDE, Math.floor(index / SIDE ** 2)];
    return z === 2 || z === 5 ? 1000 * (MASK[(SIDE - 1 - y) * SIDE + SIDE - 1 - x] ?? 0) : 0;
  };
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0];
  writeFileSync(at("scans", "t_000_0000.nii.gz"), niftiBytes({ shape: [SIDE, SIDE, 7], value, affine, gzip: true }));
});

async function predict(paths: readonly string[], out: string, format?: readonly Format[]) {
  const inputs = listInputs(paths);
  checkTargets(inputs, at(out), format);
  mkdirSync(at(out), { recursive: true });
  const failures = new FileFailures(inputs.length);
  const flags = { out: at(out), window: { low: 0, high: 1000 }, ...(format ? { format } : {}) };
  const found = await predictFiles(fakeNetwork().of(), inputs, { flags, facts: FACTS, failures });
  return { ...found, failures };
}

const json = (...names: string[]) => JSON.parse(readFileSync(at(...names), "utf8"));

/** The ROIs of an archive in the order of their names. */
async function rois(file: string) {
  const archive = await ZipArchive.open(file);
  const found: ({ entry: string } & ReturnType<typeof readRoi>)[] = [];
  for (const entry of archive.entries) {
    const parts: Buffer[] = [];
    for await (const part of archive.stream(entry)) parts.push(part);
    found.push({ entry: entry.name, ...readRoi(Buffer.concat(parts)) });
  }
  await archive.close();
  return found;
}

test("a folder of pictures gives every form asked for, and one bad file does not end it", async () => {
  const { written, failures } = await predict([at("in")], "every", EVERY);
  const files = (stem: string) => ({
    image: at("in", `${stem}.png`),
    mask: at("every", `${stem}.png`),
    nifti: at("every", `${stem}.nii.gz`),
    coco: at("every", "coco.json"),
    geojson: at("every", `${stem}.geojson`),
    rois: at("every", `${stem}-rois.zip`),
    labels: at("every", `${stem}-labels.png`),
    overlay: at("every", `${stem}-overlay.png`),
  });
  expect(written).toEqual([files("a"), files("c")]);
  expect(() => failures.end("predicted")).toThrow(DataError);
  expect(() => failures.end("predicted")).toThrow(
    /^1 of 3 files were not predicted; the rest is done:\n {2}- .*b\.png: the image is damaged/,
  );
  const names = written.flatMap(({ image: _, ...own }) => Object.values(own).map((path) => basename(path)));
  expect(readdirSync(at("every")).sort()).toEqual([...new Set(names)].sort());

  expect([...(await readMask(at("every", "a.png"))).data]).toEqual(MASK);
  const nifti = gunzipSync(readFileSync(at("every", "a.nii.gz")));
  expect([nifti.readInt16LE(42), nifti.readInt16LE(44), nifti.readInt16LE(46)]).toEqual([SIDE, SIDE, 1]);
  expect([...nifti.subarray(352)]).toEqual(MASK);
  const labels = decodePng(readFileSync(at("every", "a-labels.png")), "a-labels.png");
  expect(labels).toMatchObject({ kind: "grey", depth: 16 });
  expect([...labels.samples].map((id) => Math.min(id, 1))).toEqual(MASK);
  expect(new Set(labels.samples).size).toBe(1 + OBJECTS);

  const { features } = json("every", "a.geojson");
  expect(features).toHaveLength(OBJECTS);
  expect(features[0].geometry.coordinates).toHaveLength(2);
  expect(features.map(({ geometry }: { geometry: { type: string } }) => geometry.type)).toContain("MultiPolygon");
  const found = await rois(at("every", "a-rois.zip"));
  expect(found.map(({ entry }) => entry)).toEqual([1, 2, 3, 4].map((n) => `000${n}-cell_one.roi`));
  expect(
    evenOdd(
      found.flatMap(({ rings }) => rings),
      SIDE,
      SIDE,
    ),
  ).toEqual(MASK);

  const coco = json("every", "coco.json");
  expect(coco.categories).toEqual([{ id: 1, name: "cell/one" }]);
  expect(coco.images).toEqual([
    { id: 1, file_name: "a.png", width: SIDE, height: SIDE },
    { id: 2, file_name: "c.png", width: SIDE, height: SIDE },
  ]);
  expect(coco.annotations.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  const masks = coco.annotations
    .filter((annotation: { image_id: number }) => annotation.image_id === 2)
    .map(({ segmentation }: { segmentation: { counts: string } }) =>
      cocoMask(cocoRuns(segmentation.counts), SIDE, SIDE),
    );
  expect(MASK.map((_, pixel) => masks.filter((mask: number[]) => mask[pixel] === 1).length)).toEqual(MASK);
});

test("a picture is a mask and an overlay with a legend, where no form is asked for", async () => {
  const { written } = await predict([at("in", "a.png")], "usual");
  expect(written).toEqual([
    { image: at("in", "a.png"), mask: at("usual", "a.png"), overlay: at("usual", "a-overlay.png") },
  ]);
  expect(readdirSync(at("usual")).sort()).toEqual(["a-overlay.png", "a.png"]);
  const overlay = await readImage(at("usual", "a-overlay.png"));
  const shown = Array.from({ length: overlay.width * overlay.height }, (_, i) => overlay.data.slice(3 * i, 3 * i + 3));
  // The legend's square is of the class's own colour, which nothing in the picture is.
  expect(shown.filter(([r, g, b]) => r === 255 && g === 176 && b === 0)).toHaveLength(64);
});

test("a single bad file, a full disk and a lost GPU end it by their own error", async () => {
  await expect(predict([at("in", "b.png")], "single")).rejects.toThrow(/^.*b\.png: the image is damaged/);
  for (const error of [new OutputError("the disk is full"), new DeviceError("lost"), new TypeError("a bug")]) {
    await expect(new FileFailures(2).over("a.png", () => Promise.reject(error))).rejects.toBe(error);
  }
  const failures = new FileFailures(2);
  for (const file of ["a.png", "b.png"]) {
    await failures.over(file, () => Promise.reject(new DataError("one\ntwo")));
  }
  expect(() => failures.end("scored")).toThrow(
    "2 of 2 files were not scored:\n  - a.png: one\n    two\n  - b.png: one\n    two",
  );
  expect(() => new FileFailures(3).end("scored")).not.toThrow();
});

describe("a volume", () => {
  test("is named as nnU-Net names it and leaves one montage", async () => {
    const { written, notes } = await predict([at("scans")], "volume");
    expect(written).toEqual([
      {
        image: at("scans", "t_000_0000.nii.gz"),
        mask: at("volume", "t_000.nii.gz"),
        overlay: at("volume", "t_000-overlay.png"),
      },
    ]);
    expect(readdirSync(at("volume")).sort()).toEqual(["t_000-overlay.png", "t_000.nii.gz"]);
    expect(notes[0]).toBe("t_000: 7 slices, shown from 0 to 1000 (as asked for)");
    const labels = await openNifti(at("volume", "t_000.nii.gz"));
    expect([...labels.slice(2).values]).toEqual(MASK);
    expect(Math.max(...labels.slice(3).values)).toBe(0);
  });

  test("is a stack of pictures to forms that know no volumes", async () => {
    await predict([at("scans")], "stack", ["png", "coco", "geojson", "rois", "labels"]);
    const slices = Array.from({ length: 7 }, (_, z) => `t_000_000${z}.png`);
    expect(readdirSync(at("stack", "t_000"))).toEqual(slices);
    expect(readdirSync(at("stack", "t_000-labels"))).toEqual(slices);
    expect([...(await readMask(at("stack", "t_000", "t_000_0005.png"))).data]).toEqual(MASK);
    const { images, annotations } = json("stack", "coco.json");
    expect(images[5]).toEqual({ id: 6, file_name: "t_000_0000.nii.gz", width: SIDE, height: SIDE, slice: 5 });
    expect(annotations.map(({ image_id }: { image_id: number }) => image_id)).toEqual([3, 3, 3, 3, 6, 6, 6, 6]);
    const { features } = json("stack", "t_000.geojson");
    expect(features[4].geometry.plane).toEqual({ c: -1, z: 5, t: 0 });
    const found = await rois(at("stack", "t_000-rois.zip"));
    expect(found.map(({ entry, position }) => [entry, position]).slice(3, 5)).toEqual([
      ["0003-0004-cell_one.roi", 3],
      ["0006-0001-cell_one.roi", 6],
    ]);
  });

  test("a montage shows the fullest slice and others evenly, all of them where nothing was found", () => {
    const size = { width: 512, height: 512 };
    const found = Array.from({ length: 60 }, (_, z) => (z < 10 || z > 49 ? 0 : z === 31 ? 500 : 5));
    const chosen = montageSlices(found, size);
    expect(chosen).toHaveLength(12);
    expect(chosen).toContain(31);
    expect([chosen[0], chosen.at(-1)]).toEqual([10, 49]);
    expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
    expect(montageSlices([0, 0, 0], size)).toEqual([0, 1, 2]);
    expect(montageSlices([], size)).toEqual([]);
    expect(montageSlices([1, 9, 1], { width: 5000, height: 5000 })).toEqual([1]);
  });
});

describe("names", () => {
  const named = (...names: readonly string[]) => {
    const folder = at(`names-${names.join("-")}`);
    mkdirSync(folder);
    for (const name of names) writeFileSync(join(folder, name), "");
    return listInputs([folder]).map(({ stem }) => stem);
  };

  test("lose nnU-Net's first channel only where it is one", () => {
    expect(named("t_0000.nii.gz")).toEqual(["t"]);
    expect(named("t_0000.nii", "t_0001.nii")).toEqual(["t_0000", "t_0001"]);
    expect(named("f_0000.png")).toEqual(["f_0000"]);
    expect(named("f_0000.png", "g_0000.png")).toEqual(["f", "g"]);
    expect(named("f_0000.png", "f_0001.png")).toEqual(["f_0000", "f_0001"]);
  });

  test("of links to nowhere end nothing: as an image it fails alone, else it is no input", () => {
    mkdirSync(at("links"));
    writeFileSync(at("links", "a.png"), "");
    symlinkSync(at("nowhere"), at("links", "b.png"));
    symlinkSync(at("nowhere"), at("links", "c"));
    expect(listInputs([at("links")]).map(({ stem }) => stem)).toEqual(["a", "b"]);
  });

  test("that two results would share, or an input has, are refused", () => {
    const inputs = (...names: readonly string[]) =>
      names.map((name) => ({ kind: "image", file: at(name), stem: name.replace(/\.\w+$/, "") }) as const);
    const check = (names: readonly string[], formats: readonly Format[]) => () =>
      checkTargets(inputs(...names), SCRATCH.path, formats);
    expect(check(["a.jpg", "b.jpg"], EVERY)).not.toThrow();
    expect(check(["a.png"], ["coco"])).not.toThrow();
    expect(check(["a.png"], ["png"])).toThrow("a.png is an input and would be replaced; choose another folder");
    expect(check(["a.jpg", "a-labels.jpg"], ["png", "labels"])).toThrow(
      "would both be written as a-labels.png: predict them into two --out folders",
    );
  });
});

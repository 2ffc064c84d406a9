import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readImage, readMask } from "../../src/data/decode.ts";
import { openNifti as openVolume } from "../../src/data/formats/nifti-file.ts";
import { readNpyHeader } from "../../src/data/formats/npy.ts";
import { openNifti } from "../../src/experiment/predict/predict-scan.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { ctElements, dicomBytes } from "../support/raw/dicom.ts";
import { niftiBytes } from "../support/raw/nifti.ts";
import { tiffBytes } from "../support/raw/tiff.ts";
import { svanet, svanetJson } from "../support/svanet.ts";
import { cells, scratchFolder, tinyConfig, trainHere } from "../support/training.ts";

const scratch = scratchFolder();
const path = (...names: string[]) => join(scratch.path, ...names);
const [run, data, scans] = [path("run"), path("cells"), path("scans")];

// Array axes run to the back, to the head and to the left: [40 rows back, 3 slices, 32 columns].
const AFFINE = [0, 0, -0.5, 8, -0.25, 0, 0, 9, 0, 2, 0, -3];
const SHAPE = [40, 3, 32] as const;

beforeAll(async () => {
  const device = await openDevice();
  try {
    const set = await cells(data, 8, 4);
    await trainHere(device, set, tinyConfig({ data, out: run, ablation: "t4-svattn", steps: 12, lr: 4e-3 }));
  } finally {
    device.close();
  }
  mkdirSync(join(scans, "series"), { recursive: true });
  const picture = await readImage(path("cells", "val", "val-0000.png"));
  const grey = (row: number, column: number) => picture.data[3 * (row * 64 + column)] ?? 0;
  const value = (index: number) => grey(index % 40, Math.floor(index / 120)) + 10 * (Math.floor(index / 40) % 3);
  writeFileSync(join(scans, "volume.nii.gz"), niftiBytes({ shape: SHAPE, value, affine: AFFINE, gzip: true }));
  for (const z of [4, 2, 0]) {
    const values = Array.from({ length: 40 * 32 }, (_, i) => 900 + 2 * grey(Math.floor(i / 32), i % 32) + z);
    const spec = { series: "1.2.3", instance: `1.2.3.${z}`, z, rows: 40, columns: 32, values };
    const extra = [[0x0028, 0x0030, "DS", "0.25\\0.5"]] as const;
    writeFileSync(join(scans, "series", `image-${9 - z}.dcm`), dicomBytes(ctElements({ ...spec, extra })));
  }
});
afterAll(() => scratch.remove());

/** Values of a float32 npy file with its shape. */
function npy(file: string) {
  const bytes = readFileSync(file);
  const header = readNpyHeader(bytes, file);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + header.dataOffset));
  return { shape: header.shape, values };
}

const argmax = (scores: Float32Array, k: number) =>
  Array.from({ length: scores.length / k }, (_, i) => {
    const own = [...scores.subarray(i * k, (i + 1) * k)];
    return own.indexOf(Math.max(...own));
  });

test("a volume, a series and the same slices as pictures give one result, each in its own geometry", async () => {
  const volume = await openVolume(join(scans, "volume.nii.gz"));
  mkdirSync(path("slices"));
  for (const z of [0, 1, 2]) {
    const { width, height, values } = volume.slice(z);
    const page = { width, height, data: Int16Array.from(values) };
    const further = { width: 1, height: 1, data: Int16Array.of(9999) };
    writeFileSync(path("slices", `z${z}.tif`), tiffBytes(page, ...(z === 2 ? [further] : [])));
  }
  const inputs = [join(scans, "volume.nii.gz"), join(scans, "series"), path("slices")];
  const flags = ["--out", path("out"), "--probabilities", "--window=20,220", "--json"];
  const pages = svanet("predict", run, ...inputs, ...flags);
  // The rest is done, what was not ends the output.
  expect([pages.status, JSON.parse(pages.stdout)]).toEqual([1, expect.objectContaining({ length: 4 })]);
  expect(pages.stderr).toMatch(
    /1 of 5 files were not predicted; the rest is done:\n {2}- .*z2\.tif: holds 2 pages.*\n$/,
  );
  const forms = ["--format", "png,nifti", "--format", "coco"];
  const { stdout, stderr } = svanet("predict", run, ...inputs, ...flags, ...forms, "--page", "0");
  for (const stem of ["z0", "z1", "z2"]) expect(stderr).toContain(`${stem}: shown from 20 to 220 (as asked for)`);
  const found: unknown = JSON.parse(stdout);
  expect(found).toHaveLength(5);
  expect(found).toContainEqual({
    image: path("slices", "z1.tif"),
    mask: path("out", "z1.png"),
    nifti: path("out", "z1.nii.gz"),
    coco: path("out", "coco.json"),
    overlay: path("out", "z1-overlay.png"),
    probabilities: path("out", "z1-probabilities.npy"),
  });

  const labels = await openVolume(path("out", "volume.nii.gz"));
  expect(labels.header).toMatchObject({ shape: [...SHAPE, 1], type: "uint8", affine: AFFINE });
  const scores = npy(path("out", "volume-probabilities.npy"));
  expect(scores.shape).toEqual([3, 40, 32, 2]);
  let inside = 0;
  for (const z of [0, 1, 2]) {
    const alone = npy(path("out", `z${z}-probabilities.npy`));
    expect(alone.shape).toEqual([40, 32, 2]);
    expect(scores.values.subarray(z * 2560, (z + 1) * 2560)).toEqual(alone.values);
    const mask = [...(await readMask(path("out", `z${z}.png`))).data];
    expect(mask).toEqual(argmax(alone.values, 2));
    expect([...labels.slice(z).values]).toEqual(mask);
    inside += mask.filter((label) => label === 1).length;
  }
  expect(inside).toBeGreaterThan(0);
  expect(inside).toBeLessThan(3 * 40 * 32);

  const series = await openVolume(path("out", "series.nii.gz"));
  expect(series.header).toMatchObject({ shape: [32, 40, 3, 1], orientationFrom: "sform" });
  // DICOM counts to the left and back, NIfTI to the right and front; 0.25 mm between rows, 0.5 between columns.
  expect([...series.header.affine].map((value) => value + 0)).toEqual([-0.5, 0, 0, 10, 0, -0.25, 0, 20, 0, 0, 2, 0]);
});

test("eval by other strata chooses rules; tiles, views and rules are applied", async () => {
  const report = svanetJson(
    ...["eval", run, "--data", data, "--strata", "0.5,2,100", "--area", "pixels", "--resamples", "20"],
    ...["--choose-postprocess", "--overlays", "2"],
  );
  expect(report).toMatchObject({
    area: "pixels",
    strata: { "0.5": {}, "2": {}, all: { images: 4, emptyImages: 0, intervals: { mDice: expect.any(Array) } } },
    bootstrap: { resamples: 20, level: 0.95 },
    lesions: [{ overlap: 0.1 }, { overlap: 0.5 }],
    surface: { tolerance: 2, strata: { all: { images: 4 } } },
    auc: expect.any(Number),
    emptyMasks: expect.any(Object),
  });
  const files = ["classes.csv", "counts.csv", "eval.json", "images.csv", "lesions.csv", "objects.csv", "roc.csv"];
  expect(
    readdirSync(join(run, "eval"))
      .filter((name) => name !== "overlays")
      .sort(),
  ).toEqual(files);
  expect(readdirSync(join(run, "eval", "overlays")).sort()).toEqual([
    expect.stringMatching(/^smallest-1-val-\d{4}-overlay\.png$/),
    expect.stringMatching(/^worst-1-val-\d{4}-overlay\.png$/),
  ]);
  expect(readFileSync(join(run, "eval", "roc.csv"), "utf8")).toMatch(
    /^curve,threshold,.*\nforeground,Infinity,0,0,native\n/,
  );
  expect(JSON.parse(readFileSync(join(run, "eval", "eval.json"), "utf8"))).toEqual(report);

  // A rule of our own that certainly acts: everything but what fills the picture goes.
  const file = join(run, "postprocess.json");
  const chosen = JSON.parse(readFileSync(file, "utf8"));
  expect(chosen).toMatchObject({ chosenOn: { data, split: "val", images: 4 }, rules: [{ class: 1 }] });
  writeFileSync(file, JSON.stringify({ ...chosen, rules: [{ ...chosen.rules[0], minPercent: 99 }] }));
  const image = path("cells", "val", "val-0001.png");
  const flags = ["--tile", "48", "--overlap", "0.25", "--tta", "--probabilities", "--postprocess"];
  svanetJson("predict", run, image, "--out", path("averaged"), ...flags);
  const mask = await readMask(path("averaged", "val-0001.png"));
  expect(new Set(mask.data)).toEqual(new Set([0]));
  const { values } = npy(path("averaged", "val-0001-probabilities.npy"));
  for (let i = 0; i < values.length; i += 2) expect((values[i] ?? 0) + (values[i + 1] ?? 0)).toBeCloseTo(1, 5);
  expect(new Set(values.map((value) => Math.round(1000 * value))).size).toBeGreaterThan(10);
});

test("two checkpoints are averaged; pictures have counts of their objects, a series those of each slice", () => {
  const out = path("ensemble");
  const last = join(run, "checkpoints", "last.safetensors");
  const args = ["predict", run, last, join(data, "val"), join(scans, "series"), "--out", out];
  const asked = ["--format", "csv", "--separate", "1", "--spacing", "0.5,0.25"];
  expect(svanetJson(...args, ...asked)).toMatchObject(Array(5).fill({ csv: join(out, "objects.csv") }));
  const rows = (name: string) => {
    const [titles = [], ...cells] = readFileSync(join(out, name), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => line.split(","));
    return cells.map((row) => Object.fromEntries(titles.map((title, at) => [title, row[at] ?? ""])));
  };
  const objects = rows("objects.csv");
  expect(rows("counts.csv").map(({ slice }) => slice)).toEqual(["", "", "", "", "0", "1", "2"]);
  expect(rows("counts.csv").reduce((sum, row) => sum + Number(row["objects"]), 0)).toBe(objects.length);
});

test("what cannot be meant is refused in a sentence, before anything is written", async () => {
  const refused = (...args: string[]) => {
    const { status, stderr } = svanet(...args);
    expect(status).toBe(2);
    return stderr;
  };
  const val = join(data, "val");
  expect(refused("predict", run, val, "--out", val)).toContain("is an input and would be replaced");
  expect(refused("predict", run, val, "--out", path("x"), "--overlap", "1")).toContain(
    "Expected a share from 0 to 0.9.",
  );
  for (const window of ["5", ",240", "240,-160"]) {
    expect(refused("predict", run, val, "--out", path("x"), `--window=${window}`)).toContain("the lower first");
  }
  expect(refused("predict", run, join(run, "checkpoints", "last.safetensors"), "--out", path("x"))).toContain(
    "no image is given behind the checkpoints",
  );
  expect(refused("predict", run, val, "--out", path("x"), "--separate", "1")).toContain("--separate parts objects");
  expect(refused("predict", run, val, "--out", path("x"), "--spacing", "1")).toContain("add --format csv");
  expect(refused("eval", run, "--data", data, "--strata", "10,1")).toContain("Expected ascending percentages");
  const leak = refused("eval", run, "--data", data, "--split", "test", "--choose-postprocess");
  expect(leak).toContain("rules are chosen on val");
  const four = join(scratch.path, "four.nii");
  writeFileSync(four, niftiBytes({ shape: [2, 2, 2, 3], value: (i) => i, affine: AFFINE }));
  await expect(openNifti(four, undefined)).rejects.toThrow("holds 3 volumes; choose one with --volume 0 to 2");
  await expect(openNifti(four, 3)).rejects.toThrow("has the volumes 0 to 2");
  expect((await openNifti(four, 2)).slice(0).values).toHaveLength(4);
});

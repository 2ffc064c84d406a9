import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { readImage } from "../../../src/data/decode.ts";
import { chosenSlices } from "../../../src/data/prepare/run-task.ts";
import { splitGroups, splitRuns } from "../../../src/data/prepare/splits.ts";
import { ctElements, dicomBytes, type Element, segElements } from "../../support/raw/dicom.ts";
import { niftiBytes, RAS } from "../../support/raw/nifti.ts";
import { floats, integers, npzBytes, zipBytes } from "../../support/raw/npz.ts";
import { base, contents, fresh, run, stems, values } from "../../support/raw/prepare.ts";
import { tiffBytes } from "../../support/raw/tiff.ts";
import * as trees from "../../support/raw/trees.ts";

describe("pictures and volumes of one's own", () => {
  test("pictures: black and white or class masks, patients by name stay together", async () => {
    const raw = fresh();
    for (let number = 0; number < 10; number++) {
      const image = { width: 4, height: 4, channels: 1 as const };
      const stem = `patient${number >> 1}_${number}`;
      trees.put(raw, `images/${stem}.png`, encodePng({ ...image, data: new Uint8Array(16).fill(number * 20) }));
      trees.put(raw, `masks/${stem}_mask.png`, encodePng({ ...image, data: new Uint8Array(16).fill(number % 3) }));
    }
    const out = fresh();
    const summary = await run("folder", raw, out, { classes: ["cell", "nucleus"], val: 0.2 });
    expect(summary.images).toEqual({ train: 6, val: 2, test: 2 });
    const patients = stems(out, "test").map((name) => name.slice(0, 8));
    expect(new Set(patients).size).toBe(1);
    expect(await values(out, "patient2_5")).toEqual([2]);
    await expect(run("folder", raw, fresh(), { test: 0.9, val: 0.05 })).rejects.toThrow(/5 patients cannot be split/);
  });

  test("NIfTI: nnU-Net's names, folders train and val, a folder a case; NaN and 4-D are said", async () => {
    const value = (index: number) => (index === 5 ? Number.NaN : index);
    const scan = niftiBytes({ shape: [4, 4, 3, 2], value, type: "float32", affine: RAS });
    const label = niftiBytes({ shape: [4, 4, 3], value: (index) => index % 2, type: "int64", affine: RAS });
    const [nnunet, parts, cases_] = [fresh(), fresh(), fresh()];
    for (const name of ["a", "b", "c"]) {
      trees.put(nnunet, `imagesTr/${name}_0000.nii`, scan);
      trees.put(nnunet, `labelsTr/${name}.nii`, label);
      trees.put(cases_, `${name}/image.nii`, scan);
      trees.put(cases_, `${name}/label.nii`, label);
    }
    for (const [split, name] of [
      ["train", "a"],
      ["val", "b"],
    ]) {
      trees.put(parts, `${split}/images/${name}.nii`, scan);
      trees.put(parts, `${split}/labels/${name}.nii`, label);
    }
    const summary = await run("nifti", nnunet, fresh());
    expect(summary.images).toEqual({ train: 6, test: 3 });
    expect(summary.notes).toContain("imagesTr/a_0000.nii: 2 volumes in one file; the first was taken");
    expect(summary.notes).toContain("imagesTr/a_0000.nii: 1 voxels that are NaN or infinite are shown black");
    expect((await run("nifti", parts, fresh())).images).toEqual({ train: 3, val: 3 });
    expect((await run("nifti", cases_, fresh(), { every: 2 })).images).toEqual({ train: 4, test: 2 });
    const soft = niftiBytes({ shape: [4, 4, 3], value: () => 0.5, type: "float32", affine: RAS });
    writeFileSync(join(cases_, "b/label.nii"), soft);
    await expect(run("nifti", cases_, fresh())).rejects.toThrow(
      /b.label\.nii: holds the value 0\.5, no whole number at slice 0, row 0, column 0; .*--threshold 0\.5/,
    );
  });
});

const shownIn = async (file: string) => [...(await readImage(file)).data].filter((_, at) => at % 3 === 0);

describe("what scans are shown through", () => {
  test("DICOM: low values bright, after the window that the file asks for; padding black", async () => {
    const [rows, columns] = [6, 8];
    const values = Array.from({ length: rows * columns }, (_, at) => (at === 0 ? 4095 : 1000 + at * 20));
    const extra: Element[] = [
      [0x0028, 0x0004, "CS", "MONOCHROME1"],
      [0x0028, 0x0120, "SS", 4095],
      [0x0028, 0x1050, "DS", "1400.5"],
      [0x0028, 0x1051, "DS", "1401"],
      [0x0028, 0x1052, "DS", "0"],
    ];
    for (const window of [undefined, { low: 1000, high: 2000 }]) {
      const [raw, out] = [fresh(), fresh()];
      for (const patient of ["a", "b"]) {
        const spec = {
          rows,
          columns,
          series: `1.${patient}`,
          instance: `1.2.${patient}`,
          patient,
          z: 0,
          values,
          extra,
        };
        trees.put(raw, `${patient}/i.dcm`, dicomBytes(ctElements(spec)));
        const frames = [{ segment: 1, instance: spec.instance, z: 0, pixels: values.map((_, at) => at % 2) }];
        trees.put(
          raw,
          `${patient}/s.dcm`,
          dicomBytes(segElements({ series: spec.series, rows, columns, labels: ["x"], frames })),
        );
      }
      const summary = await run("dicom", raw, out, { window });
      const { low, high } = window ?? { low: 700, high: 2100 };
      const why = window ? "as asked for" : "as the file asks";
      expect(summary.notes).toContain(`patient001_series001: shown from ${low} to ${high} (${why}, low values bright)`);
      const expected = values.map((value) => Math.round(255 - ((Math.min(high, value) - low) * 255) / (high - low)));
      const [split] = Object.keys(summary.images);
      expect(await shownIn(join(out, split ?? "", "patient001_series001_0000.png"))).toEqual(expected.with(0, 0));
    }
  });
});

describe("what arrays and pages are shown through", () => {
  test("npz: one decision for all images of an array, or the window that was asked for", async () => {
    const values = Array.from({ length: 32 }, (_, at) => (at < 16 ? at : at * 100));
    const arrays = {
      images: { descr: "<f4", shape: [2, 4, 4], data: floats(values) },
      labels: { descr: "<i4", shape: [2, 4, 4], data: integers(values.map((_, at) => at % 2)) },
    };
    const raw = fresh();
    trees.put(raw, "train.npz", npzBytes(arrays));
    const [own, asked] = [fresh(), fresh()];
    const { notes } = await run("npz", raw, own);
    expect(notes).toContainEqual(
      expect.stringMatching(/^train\.npz: each shown from its own window \(its 0\.5th to 99\.5th/),
    );
    // The first image is whole numbers below 256, the array is not: both are scaled.
    expect((await shownIn(join(own, "train", "train_00000.png"))).at(-1)).toBe(255);
    await run("npz", raw, asked, { window: { low: 0, high: 30 } });
    expect((await shownIn(join(asked, "train", "train_00000.png"))).slice(0, 4)).toEqual([0, 9, 17, 26]);
    expect(readFileSync(join(asked, "dataset.yaml"), "utf8")).toMatch(/window:\n +low: 0\n +high: 30/);
  });

  test("pictures: a page that is asked for, drawn; else the deep file itself, with its window in dataset.yaml", async () => {
    const size = { width: 4, height: 4 };
    const page = (start: number) => ({ ...size, data: Uint16Array.from({ length: 16 }, (_, at) => start + at) });
    const [stacks, plain] = [fresh(), fresh()];
    for (const name of ["a", "b", "c"]) {
      trees.put(stacks, `images/${name}.tif`, tiffBytes(page(100), page(1000)));
      trees.put(plain, `images/${name}.tif`, tiffBytes(page(name.charCodeAt(0))));
      for (const raw of [stacks, plain]) {
        const data = Uint8Array.from({ length: 16 }, (_, at) => at % 2);
        trees.put(raw, `masks/${name}.png`, encodePng({ ...size, channels: 1, data }));
      }
    }
    await expect(run("folder", stacks, fresh())).rejects.toThrow(/a\.tif: holds 2 pages/);
    const [drawn, copied] = [fresh(), fresh()];
    await run("folder", stacks, drawn, { page: 1, window: { low: 1000, high: 1015 } });
    expect(await shownIn(join(drawn, "train", stems(drawn, "train")[0] ?? ""))).toEqual(
      Array.from({ length: 16 }, (_, at) => at * 17),
    );
    expect((await openDataset(drawn)).yaml.window).toBeUndefined();
    await run("folder", plain, copied, { window: { low: 0, high: 500 } });
    expect(stems(copied, "train").every((name) => name.endsWith(".tif"))).toBe(true);
    expect((await openDataset(copied)).yaml).toMatchObject({ window: { low: 0, high: 500 } });
    expect((await openDataset(copied)).yaml.provenance?.window).toBeUndefined();
  });
});

describe("DICOM and NumPy files of one's own", () => {
  test("DICOM: series with their segmentations, patients split apart and unnamed", async () => {
    const [raw, out] = [fresh(), fresh()];
    trees.dicomTree(raw);
    const summary = await run("dicom", raw, out);
    expect(summary.images).toEqual({ train: 3, test: 3 });
    const dataset = await openDataset(out);
    expect(dataset.yaml.classes).toEqual(["background", "liver", "tumour"]);
    // Slice 0 has the first segment, "tumour"; slice 2 the second, "liver"; slice 1 none.
    expect(await values(out, "patient001_series001_0000")).toEqual([0, 2]);
    expect(await values(out, "patient001_series001_0001")).toEqual([0]);
    expect(await values(out, "patient001_series001_0002")).toEqual([0, 1]);
    const text = contents(out).join() + readFileSync(join(out, "dataset.yaml"), "utf8");
    expect(text).not.toMatch(/DOE|ROE/);
    expect(readFileSync(join(out, ".prepare.jsonl"), "utf8")).not.toMatch(/DOE|ROE/);
  });

  test("npz: stacks by split or one file a patient; a hostile or spoiled archive writes nothing", async () => {
    const stack = (count: number) => ({
      images: {
        descr: "|u1",
        shape: [count, 4, 4],
        data: Uint8Array.from({ length: count * 16 }, (_, at) => at % 256),
      },
      labels: {
        descr: "<i4",
        shape: [count, 4, 4],
        data: integers(Array.from({ length: count * 16 }, (_, at) => at % 3)),
      },
    });
    const raw = fresh();
    trees.put(raw, "train.npz", npzBytes(stack(3)));
    trees.put(raw, "val.npz", npzBytes(stack(2), true));
    const out = fresh();
    expect((await run("npz", raw, out)).images).toEqual({ train: 3, val: 2 });
    expect([...(await readImage(join(out, "train", "train_00002.png"))).data.subarray(0, 6)]).toEqual([
      32, 32, 32, 33, 33, 33,
    ]);
    const single = fresh();
    trees.put(single, "all.npz", npzBytes(stack(3)));
    await expect(run("npz", single, fresh())).rejects.toThrow(/one stack whose patients are not known/);
    const hostile = fresh();
    trees.put(hostile, "train.npz", zipBytes([{ name: "../../escaped.npy", data: Buffer.alloc(9) }]));
    const target = fresh();
    const around = readdirSync(base);
    await expect(run("npz", hostile, target)).rejects.toThrow(/points outside the archive's folder; nothing was read/);
    expect(readdirSync(base)).toEqual(around);
    const cut = fresh();
    trees.put(cut, "train.npz", npzBytes(stack(3)).subarray(0, 300));
    await expect(run("npz", cut, fresh())).rejects.toThrow(/train\.npz: the zip archive is damaged/);
  });
});

describe("splits and slices", () => {
  test("groups stay whole, shares are exact, the seed decides", () => {
    const groups = Array.from({ length: 60 }, (_, at) => `im${at}`);
    const count = (seed: number) => {
      const splitOf = splitGroups(groups, { test: 0.2, val: 0.1, seed }, "volumes");
      return groups.map(splitOf).join();
    };
    const splits = count(0).split(",");
    expect([
      splits.filter((split) => split === "test").length,
      splits.filter((split) => split === "val").length,
    ]).toEqual([12, 6]);
    expect(count(0)).toBe(count(0));
    expect(count(0)).not.toBe(count(1));
  });

  test("runs: Table I's 307 of PolypGen's 1537 frames, each hospital's in one piece", () => {
    const centres = [256, 301, 457, 227, 208, 88];
    const splits = splitRuns(centres, { test: 0.2, val: 0, seed: 3 }, "frames");
    expect(splits.flat().filter((split) => split === "test")).toHaveLength(307);
    for (const run of splits) {
      const borders = run.filter((split, at) => split !== run[(at + 1) % run.length]);
      expect(borders).toHaveLength(2);
    }
  });

  test("slices: every 4th and the last; about 2 % in the middle, the same for the same seed", () => {
    const every = { kind: "every", step: 4, last: true } as const;
    expect(chosenSlices(every, 10)).toEqual([0, 4, 8, 9]);
    expect(chosenSlices(every, 9)).toEqual([0, 4, 8]);
    const share = { kind: "share", share: 0.02, from: 0.15, to: 0.85, seed: 0, number: 3 } as const;
    const chosen = chosenSlices(share, 301);
    expect(chosen).toHaveLength(7);
    expect(chosen.every((slice) => slice >= 45 && slice < 256)).toBe(true);
    expect(chosenSlices(share, 301)).toEqual(chosen);
    expect(chosenSlices({ ...share, number: 4 }, 301)).not.toEqual(chosen);
    expect(chosenSlices(share, 1)).toHaveLength(1);
  });
});

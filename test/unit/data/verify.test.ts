import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decodePng } from "../../../src/data/codec/png.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { fixDataset } from "../../../src/data/dataset/fix.ts";
import { patientOf } from "../../../src/data/dataset/patients.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { readImage, readMask, writePng } from "../../../src/data/decode.ts";
import { gaussianBlur } from "../../../src/data/image/box-blur.ts";
import { type ByteImage, filled } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";

// Threads start through a loader here; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 60_000 });

const SIZE = { width: 48, height: 40 };
let folder = "";
const at = (...parts: string[]) => join(folder, "set", ...parts);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-verify-"));
  for (const name of ["train", "val", "mask"]) await mkdir(at(name), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

/** A picture of its own for every number. */
function picture(number: number): ByteImage {
  const walk = random(4, "picture", number);
  const data = new Uint8Array(SIZE.width * SIZE.height * 3).map(() => walk.integer(256));
  const { data: soft } = gaussianBlur({ ...SIZE, channels: 3, data }, 3);
  return { ...SIZE, channels: 3, data: soft.map((value) => Math.min(255, Math.max(0, 8 * (value - 112)))) };
}

async function put(split: string, stem: string, number: number, labels: readonly number[] = [1]): Promise<void> {
  const mask = filled(SIZE, 1, 0);
  mask.data.set(labels);
  await writePng(at(split, `${stem}.png`), picture(number));
  await writePng(at("mask", `${stem}.png`), mask);
}

async function verified() {
  return verifyDataset(await openDataset(at()), { indexFile: join(folder, "index.json"), workers: 0 });
}

/** Findings as "severity code: message" without the folder. */
async function found() {
  const { findings } = await verified();
  return findings.map(({ severity, code, message }) => `${severity} ${code}: ${message.replaceAll(`${at()}/`, "")}`);
}

async function good() {
  for (let k = 0; k < 4; k++) await put("train", `a${k}`, k);
  for (let k = 0; k < 2; k++) await put("val", `b${k}`, 10 + k);
}

describe("verify", () => {
  test("finds nothing in a sound set, and decodes it once", async () => {
    await good();
    const first = await verified();
    expect(first).toMatchObject({ errors: 0, warnings: 0, decoded: 12, findings: [], images: { train: 4, val: 2 } });
    expect(first.classes.map(({ splits }) => splits.train?.images)).toEqual([4, 4]);
    expect(first.sizes).toEqual({ "48x40": 6 });
    expect((await verified()).decoded).toBe(0);
  });

  test("finds the same in threads as in this one, and names a damaged file from there", async () => {
    for (let k = 0; k < 16; k++) await put(k < 12 ? "train" : "val", `a${k}`, k);
    await writeFile(at("val", "a15.png"), "no image");
    const dataset = await openDataset(at());
    const [here, threads] = await Promise.all(
      [0, 2].map((workers) => verifyDataset(dataset, { indexFile: join(folder, `${workers}.json`), workers })),
    );
    expect(threads?.findings).toEqual(here?.findings);
    expect(threads?.survey.splits).toEqual(here?.survey.splits);
    expect(threads?.findings[0]).toMatchObject({ code: "unreadable", file: at("val", "a15.png") });
  });

  test("counts as errors what nobody can train on", async () => {
    await good();
    await writePng(at("train", "lonely.png"), picture(50));
    await put("train", "cut", 51);
    await writeFile(at("train", "cut.png"), (await readFile(at("train", "cut.png"))).subarray(0, 300));
    await put("train", "wide", 52);
    await writePng(at("mask", "wide.png"), filled({ width: 49, height: 40 }, 1, 1));
    await put("val", "beyond", 53, [1, 7]);
    await writeFile(at("dataset.yaml"), "classes: [background, cell]");
    await copyFile(at("train", "a0.png"), at("val", "again.png"));
    await copyFile(at("mask", "a0.png"), at("mask", "again.png"));
    await put("val", "a1", 54);
    const { findings, errors } = await verified();
    expect(findings.slice(0, errors).map(({ code, file }) => [code, relative(at(), file)])).toEqual([
      ["unpaired", "train/lonely.png"],
      ["unreadable", "train/cut.png"],
      ["size-mismatch", "mask/wide.png"],
      ["label-beyond-classes", "mask/beyond.png"],
      ["shared-stem", "val/a1.png"],
      ["duplicate-across-splits", "train/a0.png"],
    ]);
    for (const { message, cure } of findings) expect(message.endsWith(cure) && cure.length > 3, message).toBe(true);
  });

  test("finds masks of 0 and 255, whole splits as an error", async () => {
    await put("train", "a", 1, [255]);
    await put("val", "b", 2, [255]);
    const messages = await found();
    expect(messages.filter((text) => text.startsWith("error mask-0-255: "))).toHaveLength(2);
    expect(messages.filter((text) => text.startsWith("error"))).toHaveLength(2);
  });
});

describe("verify, on what is odd", () => {
  test("warns of copies within a split, stored another way, and of look-alikes in another split", async () => {
    await good();
    await sharp(at("train", "a0.png")).tiff({ compression: "lzw" }).toFile(at("train", "copy.tiff"));
    await copyFile(at("mask", "a0.png"), at("mask", "copy.png"));
    await sharp(at("train", "a1.png")).resize(96, 80).jpeg({ quality: 70 }).toFile(at("val", "like.jpg"));
    await writePng(at("mask", "like.png"), filled({ width: 96, height: 80 }, 1, 1));
    const messages = await found();
    expect(messages).toContain(
      "warning duplicate-within-split: train/a0.png: holds the same pixels as train/copy.tiff; keep one",
    );
    expect(messages.filter((text) => text.includes("near-duplicate"))).toEqual([
      expect.stringMatching(
        /train\/a1\.png: looks like val\/like\.jpg \(similarity 0\.99\d\), in another split; if they/,
      ),
    ]);
    expect(messages.every((text) => text.startsWith("warning"))).toBe(true);
  });

  test("tells look-alikes from pictures that share a frame only", async () => {
    // A bright disc on black, as in fundus photographs: any two correlate strongly.
    for (let k = 0; k < 20; k++) {
      const one = picture(k);
      const data = one.data.map((value, byte) => {
        const [x, y] = [Math.floor(byte / 3) % SIZE.width, Math.floor(byte / 3 / SIZE.width)];
        return Math.hypot(x - 24, y - 20) < 17 ? 100 + value / 2 : 0;
      });
      await put("train", `f${k}`, k);
      await writePng(at("train", `f${k}.png`), { ...one, data });
    }
    expect((await found()).filter((text) => text.includes("near-duplicate"))).toEqual([]);
    await sharp(at("train", "f3.png")).jpeg({ quality: 90 }).toFile(at("val", "g.jpg"));
    await copyFile(at("mask", "f3.png"), at("mask", "g.png"));
    expect((await found()).filter((text) => text.includes("near-duplicate"))).toEqual([
      expect.stringContaining("train/f3.png: looks like val/g.jpg"),
    ]);
  });

  test("warns of empty masks, absent classes, flat images, patients in two splits and mixed storage", async () => {
    await writeFile(at("dataset.yaml"), "classes: [background, cell, tail, ghost]");
    await put("train", "case_01_slice_3", 1, [1, 2]);
    await put("train", "case_02_slice_1", 2, [0]);
    await put("train", "case_03_slice_1", 3, [1, 2]);
    await put("val", "case_01_slice_9", 4, [1]);
    await writePng(at("train", "case_03_slice_1.png"), filled(SIZE, 1, 90));
    await sharp(at("mask", "case_01_slice_9.png")).toColourspace("srgb").png({ palette: false }).toFile(at("m.png"));
    await copyFile(at("m.png"), at("mask", "case_01_slice_9.png"));
    await writePng(at("mask", "left-over.png"), filled(SIZE, 1, 0));
    const messages = await found();
    const expected = [
      /^warning shared-patient: train\/case_01_slice_3\.png: by its name of "case 1", which has 1 in train and 1 in val/,
      /^warning empty-mask: mask\/case_02_slice_1\.png: holds background only/,
      /^warning flat-image: train\/case_03_slice_1\.png: every pixel has the value 90/,
      /^warning class-never-present: val: no mask of val holds class 2 tail/,
      /^warning class-never-present: .*: no mask holds class 3 ghost/,
      /^warning image-modes-differ: train\/case_03_slice_1\.png: .*3 rgb 8 bits, 1 grey 8 bits/,
      /^warning mask-modes-differ: mask\/case_01_slice_9\.png: .*3 grey 8 bits, 1 rgb 8 bits/,
      /^warning mask-in-colour: mask\/case_01_slice_9\.png: is stored as rgb 8 bits/,
      /^warning unused-mask: mask\/left-over\.png/,
    ];
    for (const pattern of expected)
      expect(
        messages.filter((text) => pattern.test(text)),
        String(pattern),
      ).toHaveLength(1);
    expect(messages).toHaveLength(expected.length);
  });
});

describe("fix", () => {
  test("rewrites 0/255, stores colour masks as palette, keeps a shared picture where it measures", async () => {
    await put("train", "a", 1, [255, 255]);
    await put("train", "b", 2, [0]);
    await put("train", "dup", 3, [255]);
    await put("val", "c", 4, [255]);
    await copyFile(at("train", "dup.png"), at("val", "kept.png"));
    await copyFile(at("mask", "dup.png"), at("mask", "kept.png"));
    await sharp(at("mask", "b.png")).toColourspace("srgb").png({ palette: false }).toFile(at("m.png"));
    await copyFile(at("m.png"), at("mask", "b.png"));
    await rm(at("m.png"));
    await writePng(at("train", "lonely.png"), picture(9));
    const dataset = await openDataset(at());
    const out = join(folder, "fixed");
    const fixed = await fixDataset(dataset, await verified(), out);
    expect(fixed.renumbered.map((file) => basename(file)).sort()).toEqual(["a.png", "c.png", "kept.png"]);
    expect(fixed.restored.map((file) => basename(file))).toEqual(["b.png"]);
    expect(fixed.leftOut).toEqual([{ image: at("train", "dup.png"), equalTo: at("val", "kept.png") }]);
    expect(await readdir(join(out, "train"))).toEqual(["a.png", "b.png", "lonely.png"]);
    expect(await readdir(join(out, "mask"))).toEqual(["a.png", "b.png", "c.png", "kept.png"]);
    const mask = await readMask(join(out, "mask", "a.png"));
    expect([...mask.data.subarray(0, 3)]).toEqual([1, 1, 0]);
    expect(decodePng(await readFile(join(out, "mask", "b.png")), "b").kind).toBe("palette");
    expect(await readImage(join(out, "train", "a.png"))).toEqual(await readImage(at("train", "a.png")));
    expect((await readMask(at("mask", "a.png"))).data[0]).toBe(255);
    const again = await verifyDataset(await openDataset(out), { indexFile: join(folder, "2.json"), workers: 0 });
    expect(again.findings.filter(({ severity }) => severity === "error").map(({ code }) => code)).toEqual(["unpaired"]);
  });

  test("leaves 0/255 alone where three classes are named, and never writes into a dataset", async () => {
    await writeFile(at("dataset.yaml"), "classes: [background, cell, tail]");
    await put("train", "a", 1, [255]);
    await put("val", "b", 2, [255]);
    const dataset = await openDataset(at());
    const verification = await verified();
    expect((await fixDataset(dataset, verification, join(folder, "out"))).renumbered).toEqual([]);
    await expect(fixDataset(dataset, verification, at("fixed"))).rejects.toThrow("lies inside");
    await expect(fixDataset(dataset, verification, join(folder, "out"))).rejects.toThrow("name a new folder");
  });
});

test("reads patients off names, and nothing off random ones", () => {
  const names = {
    kits_10036_283: "kits_10036",
    "case_00123-slice-7": "case 123",
    Image_04R: "Image_04",
    p12_frame3: "p 12",
    "video-3_frame_0012": "video 3",
  };
  for (const [stem, patient] of Object.entries(names)) expect(patientOf(stem), stem).toBe(patient);
  for (const stem of [
    "ISIC_0013249",
    "cju2top2ruxxy0988p1svx36g",
    "dsb_20b20ab049372d18",
    "sp_20230427_223719",
    "train-0001",
  ]) {
    expect(patientOf(stem), stem).toBeUndefined();
  }
});

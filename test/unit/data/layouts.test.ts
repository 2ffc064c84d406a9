import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodePng } from "../../../src/data/codec/png.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { readImage, readMask } from "../../../src/data/decode.ts";
import { LAYOUTS } from "../../../src/data/prepare/layouts/auto.ts";
import { LAYOUT_NAMES } from "../../../src/data/prepare/set-names.ts";
import * as pictures from "../../support/raw/layout-pictures.ts";
import * as scans from "../../support/raw/layout-scans.ts";
import * as trees from "../../support/raw/layout-trees.ts";
import { fresh, run, stems } from "../../support/raw/prepare.ts";
import { put } from "../../support/raw/trees.ts";

const layouts = { ...pictures, ...scans, ...trees, put };

const labels = async (out: string, stem: string) => [...(await readMask(join(out, "mask", `${stem}.png`))).data];
const objects = (out: string, stem: string) => {
  const { depth, samples } = decodePng(readFileSync(join(out, "instances", `${stem}.png`)), stem);
  expect(depth).toBe(16);
  return [...samples];
};
const all = (out: string) =>
  ["train", "val", "test"]
    .flatMap((split) => {
      try {
        return stems(out, split);
      } catch {
        return [];
      }
    })
    .sort();

/** A tree prepared by `auto`, with what it said. */
async function prepared(tree: (root: string) => void | Promise<void>, settings = {}) {
  const [raw, out] = [fresh(), fresh()];
  await tree(raw);
  const summary = await run("auto", raw, out, settings);
  const dataset = await openDataset(out);
  const { findings } = await verifyDataset(dataset, { workers: 0 });
  // Tiny pictures look alike and hold little; what matters is that nothing is wrong with files, labels and objects.
  const odd = findings.filter(
    ({ code }) =>
      ![
        "near-duplicate",
        "duplicate-within-split",
        "duplicate-across-splits",
        "class-never-present",
        "empty-mask",
        "flat-image",
        "shared-patient",
        "identifier-in-name",
        "image-modes-differ",
      ].includes(code),
  );
  expect(odd).toEqual([]);
  const { yaml } = dataset;
  return { raw, out, summary, yaml, notes: summary.notes.join("\n"), recognised: summary.recognised ?? "" };
}

test("every layout of the command line has its module", () => {
  expect(LAYOUTS.map(({ name }) => name)).toEqual([...LAYOUT_NAMES]);
});

describe("nnU-Net's pictures", () => {
  test("nnU-Net 2 in PNG: two channels are red and green, stems and folds are kept, the ignore label is 255", async () => {
    const { out, raw, summary, yaml, notes, recognised } = await prepared(layouts.nnunet2dTree);
    expect(recognised).toMatch(
      /^Recognised as nnU-Net \(nnunet\): .*case_0001_0000\.png and .*4 labels, dataset\.json of nnU-Net 2/,
    );
    expect(summary.images).toEqual({ train: 3, val: 1 });
    expect(stems(out, "val")).toEqual(["case_0010.png"]);
    expect(yaml.classes).toEqual(["background", "cell", "nucleus"]);
    expect(yaml.provenance?.["set"]).toBe("nnunet");
    expect(await labels(out, "case_0001")).toEqual([...layouts.boxes(1, 255)]);
    const { data } = await readImage(join(out, "train", "case_0001.png"));
    const first = decodePng(layouts.photo(1), "");
    const second = decodePng(layouts.photo(51), "");
    expect([...data.subarray(0, 6)]).toEqual([
      first.samples[0],
      second.samples[0],
      0,
      first.samples[1],
      second.samples[1],
      0,
    ]);
    expect(notes).toContain("Channels: red is DAPI, green is actin");
    expect(notes).toContain("Split by fold 0 of 2 of splits_final.json");
    expect(notes).toContain("imagesTs/ has 1 case without labels");
    const folds = readFileSync(join(raw, "nnUNet_raw/Dataset007_Cells/splits_final.json"), "utf8");
    expect(readFileSync(join(out, "splits_final.json"), "utf8")).toBe(folds);
    expect(summary.classes.map(({ name, pixels }) => [name, pixels])).toEqual([
      ["background", 4 * 75],
      ["cell", 4 * 12],
      ["nucleus", 3 * 9],
      ["(ignored)", 9],
    ]);
  });

  test("without dataset.json masks mean what their pixels say: black and white, objects", async () => {
    const bare = (mask: (at: number) => Uint8Array) => (root: string) => {
      for (const at of [0, 1, 2, 3]) {
        layouts.put(root, `imagesTr/c${at}_0000.png`, layouts.photo(at));
        layouts.put(root, `labelsTr/c${at}.png`, mask(at));
      }
    };
    const white = await prepared(bare((at) => layouts.grey(layouts.boxes(255, at === 0 ? 0 : 255))));
    expect(white.yaml.classes).toEqual(["background", "foreground"]);
    expect(await labels(white.out, "c1")).toEqual([...layouts.boxes(1, 1)]);
    const numbered = await prepared(bare((at) => layouts.labelTiff(layouts.objectLabels(3 + at))));
    expect(objects(numbered.out, "c3")).toEqual(layouts.objectLabels(6));
  });

  test("a fold and a channel are chosen; what is not there is named", async () => {
    const { out, notes } = await prepared(layouts.nnunet2dTree, { fold: 1, channels: ["ACTIN"] });
    expect(stems(out, "val")).toEqual(["case_0001.png"]);
    expect(notes).toContain("Channels: grey is actin; left out: DAPI");
    expect(readFileSync(join(out, "val", "case_0001.png"))).toEqual(layouts.photo(51));
    await expect(prepared(layouts.nnunet2dTree, { fold: 2 })).rejects.toThrow(
      /--fold 2: .*splits_final\.json has the folds 0 to 1/,
    );
    await expect(prepared(layouts.nnunet2dTree, { channels: ["x"] })).rejects.toThrow(
      "--channels x: there is no such channel; there are 0 DAPI, 1 actin",
    );
    const broken = (root: string) => {
      layouts.nnunet2dTree(root);
      layouts.putText(root, "nnUNet_raw/Dataset007_Cells/imagesTr/case_0012_0000.png", "");
    };
    await expect(prepared(broken)).rejects.toThrow(/images and masks do not pair up \(without mask: case_0012\)/);
  });
});

describe("scans of nnU-Net and the Decathlon", () => {
  test("nnU-Net 1 in NIfTI: CT is shown through one window, of the labelled voxels", async () => {
    const { out, yaml, notes, recognised } = await prepared(layouts.nnunet1Tree, { test: 0 });
    expect(recognised).toMatch(
      /imagesTr\/t_000_0000\.nii\.gz and labelsTr\/ with 3 labels, dataset\.json of nnU-Net 1/,
    );
    expect(all(out)).toHaveLength(9);
    expect(all(out)[0]).toBe("t_000_0000.png");
    expect(yaml.classes).toEqual(["background", "liver", "tumour"]);
    expect(notes).toMatch(/CT is shown from (40|4\d\.?\d*) to (5\d\.?\d*|60) in every volume/);
    const { low, high } = yaml.provenance?.window ?? { low: 0, high: 0 };
    expect(low >= 40 && high <= 60 && high > low).toBe(true);
    const { data } = await readImage(join(out, "train", "t_000_0000.png"));
    expect([...new Set(data)].sort((a, b) => a - b)).toEqual([0, 255]);
    // Axial slices stand as radiologists look at them: RAS voxels turned by half a turn.
    expect(await labels(out, "t_000_0001")).toEqual([...layouts.boxes(1, 2)].reverse());
  });

  test("the Decathlon: three of four modalities of a 4-D file, said; others by name", async () => {
    const { out, yaml, notes, recognised } = await prepared(layouts.decathlonTree);
    expect(recognised).toMatch(/\(decathlon\): Task01_BrainTumour\/dataset\.json lists 3 pairs/);
    expect(notes).toContain("Channels: red is FLAIR, green is T1w, blue is t1gd; left out: T2w (--channels chooses)");
    expect(yaml).toMatchObject({
      name: "BRATS",
      licence: "CC-BY-SA 4.0",
      classes: ["background", "edema", "enhancing tumour"],
    });
    expect(all(out)).toHaveLength(9);
    const grey = await prepared(layouts.decathlonTree, { channels: ["t2W"] });
    const { kind } = decodePng(readFileSync(join(grey.out, "train", stems(grey.out, "train")[0] ?? "")), "");
    expect(kind).toBe("grey");
  });
});

describe("annotation files", () => {
  test("COCO: polygons and both forms of runs agree, crowds are ignored, unused categories left out", async () => {
    const { out, summary, yaml, notes, recognised } = await prepared(layouts.cocoTree);
    expect(recognised).toMatch(/\(coco\): annotations\/instances_train2017\.json has 3 images and 4 annotations/);
    expect(summary.images).toEqual({ train: 3, val: 3 });
    expect(yaml.classes).toEqual(["background", "car", "toothbrush"]);
    expect(await labels(out, "000000000100")).toEqual([...layouts.boxes(2, 1)]);
    expect(objects(out, "000000000100")).toEqual([...layouts.boxes(1, 2)]);
    // The object lies on the crowd, which fills the same pixels.
    expect(await labels(out, "000000000101")).toEqual([...layouts.boxes(2, 0)]);
    expect(await labels(out, "000000000102")).toEqual([...layouts.boxes(0, 0)]);
    expect(notes).toContain("annotations/instances_train2017.json: 1 crowd (iscrowd 1) ignored (255)");
    expect(notes).toContain("Classes without an object are left out: bottle");
    expect(notes).toContain("2 pictures without objects: all background");
  });

  test("COCO: what is wrong names file and place", async () => {
    const spoiled = (spoil: (file: { annotations: Record<string, unknown>[] }) => unknown) => async (root: string) => {
      await layouts.cocoTree(root);
      const name = "annotations/instances_train2017.json";
      layouts.putText(root, name, spoil(JSON.parse(readFileSync(join(root, name), "utf8"))));
    };
    const edited = (annotation: object) =>
      spoiled((file) => ({
        ...file,
        annotations: [{ ...file.annotations[0], ...annotation }, ...file.annotations.slice(1)],
      }));
    await expect(prepared(edited({ category_id: 7 }))).rejects.toThrow(
      /instances_train2017\.json: annotations\[0\] \(id 1\) has the category_id 7, which is none of the file's/,
    );
    await expect(prepared(edited({ segmentation: { size: [8, 12], counts: [17, 3] } }))).rejects.toThrow(
      /the run-length code of annotation 1 is damaged: its runs cover 20 pixels, 12x8 are 96; export it again/,
    );
    await expect(prepared(edited({ segmentation: { size: [9, 12], counts: [108] } }))).rejects.toThrow(
      /annotation 1 is a run-length mask of 12x9 pixels, its picture has 12x8/,
    );
    const boxes = await prepared(edited({ segmentation: [] }));
    expect(boxes.notes).toContain("1 annotation with a box only: what lies in it is ignored (255)");
    expect(await labels(boxes.out, "000000000100")).toEqual([...layouts.boxes(255, 1)]);
    await expect(
      prepared(spoiled((file) => JSON.stringify(file, null, 1).replace('"annotations"', '"annotations'))),
    ).rejects.toThrow(/no layout that is known|line \d+: this is no JSON/);
  });
});

describe("other annotation files", () => {
  test("YOLO-seg: names of data.yaml, splits of its folders, pictures without a text file are background", async () => {
    const { out, summary, yaml, notes, recognised } = await prepared(layouts.yoloTree);
    expect(recognised).toMatch(
      /\(yolo\): labels\/train\/a\.txt, line 1, is a class number and a polygon, as in 2 text files; data\.yaml names 2 classes/,
    );
    expect(summary.images).toEqual({ train: 2, val: 1 });
    expect(yaml.classes).toEqual(["background", "cell", "nucleus"]);
    expect(await labels(out, "a")).toEqual([...layouts.boxes(1, 2)]);
    expect(await labels(out, "b")).toEqual([...layouts.boxes(0, 0)]);
    expect(objects(out, "c")).toEqual([...layouts.boxes(1, 2)]);
    expect(notes).toContain("1 picture without objects: all background");
  });

  test("labelme: rectangles, polygons, bitmaps and circles; ignored regions; points left out", async () => {
    const { out, yaml, notes } = await prepared(layouts.labelmeTree);
    expect(yaml.classes).toEqual(["background", "instrument", "polyp"]);
    const expected = [...layouts.boxes(2, 1)];
    // The bitmap of 3 x 2 pixels at column 0, row 5, without its middle pixel above.
    for (const at of [60, 62, 72, 73, 74]) expected[at] = 2;
    // The circle of radius 1 about (11, 1) holds the middles of the pixels round it.
    for (const at of [10, 11, 22, 23]) expected[at] = 255;
    expect(await labels(out, "a")).toEqual(expected);
    expect(objects(out, "a")[60]).toBe(3);
    expect(notes).toContain("5 shapes left out: points and lines cover no pixels");
  });

  test("QuPath: classes with their colours, holes, lists as older versions write them", async () => {
    const { out, yaml, notes } = await prepared(layouts.qupathTree);
    expect(yaml.classes).toEqual(["background", "Stroma", "Tumor"]);
    expect(yaml.colours).toEqual([
      [0, 0, 0],
      [150, 200, 150],
      [200, 0, 0],
    ]);
    // The hole of 2 x 1 pixels at column 3, row 2.
    const expected = [...layouts.boxes(2, 1)].with(27, 0).with(28, 0);
    for (const stem of ["a", "b"]) expect(await labels(out, stem)).toEqual(expected);
    expect(notes).toContain("5 objects without a classification left out");
    expect(notes).toContain("5 objects left out, as they cover no pixels: LineString");
  });

  test("--classes chooses and orders; a name that no object has is refused", async () => {
    const { out, yaml, notes } = await prepared(layouts.qupathTree, { classes: ["Tumor"] });
    expect(yaml.classes).toEqual(["background", "Tumor"]);
    expect(await labels(out, "b")).toEqual([...layouts.boxes(1, 0)].with(27, 0).with(28, 0));
    expect(notes).toContain("Left out, as --classes names others: Stroma");
    await expect(prepared(layouts.qupathTree, { classes: ["Tumour"] })).rejects.toThrow(
      'no object is called "Tumour"; --classes may name Stroma, Tumor',
    );
  });
});

describe("masks as pictures", () => {
  test("VOC: palette indices, 255 as ignore, the lists' splits, objects of SegmentationObject", async () => {
    const { out, summary, yaml, notes } = await prepared(layouts.vocTree);
    expect(summary.images).toEqual({ train: 2, val: 1 });
    expect(yaml.classes?.slice(0, 3)).toEqual(["background", "aeroplane", "bicycle"]);
    expect(yaml.classes).toHaveLength(21);
    expect(await labels(out, "2007_000032")).toEqual([...layouts.boxes(15, 20).with(0, 255)]);
    expect(objects(out, "2007_000032")).toEqual([...layouts.boxes(1, 2)]);
    expect(notes).toContain("1 mask in no list left out");
    const cvat = async (root: string) => {
      await layouts.vocTree(root);
      layouts.putText(
        root,
        "VOCdevkit/VOC2012/labelmap.txt",
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncell:0,1\n",
      );
    };
    await expect(prepared(cvat)).rejects.toThrow(
      /labelmap\.txt, line 3: "cell:0,1" is no name:red,green,blue; mend the line/,
    );
  });

  test("VOC by CVAT: labelmap.txt gives colours their classes, and what it calls ignore does not count", async () => {
    const { out, yaml } = await prepared(layouts.cvatTree);
    expect(yaml.classes).toEqual(["background", "cell"]);
    expect(await labels(out, "2007_000032")).toEqual([...layouts.boxes(255, 1)]);
  });

  test("Data Science Bowl: each file an object, numbered in the order of the files", async () => {
    const { out, yaml, notes, recognised } = await prepared(layouts.dsbTree);
    expect(recognised).toContain("(dsb2018): 5 folders such as stage1_train/0007");
    expect(yaml.classes).toEqual(["background", "nucleus"]);
    const [first = ""] = all(out).map((name) => name.slice(0, -4));
    expect(await labels(out, first)).toEqual([...layouts.boxes(1, 1)]);
    expect(objects(out, first)).toEqual([...layouts.boxes(1, 2)]);
    expect(notes).toContain("1 folder without masks/ left out: stage1_test/f0");
  });

  test("Cellpose: 1 to 12 objects a picture in 16 bits are objects, not classes", async () => {
    const { out, yaml, recognised } = await prepared(layouts.cellposeTree);
    expect(recognised).toContain("(cellpose): well_0_cp_masks.tif; 5 pictures with masks named after them");
    expect(yaml.classes).toEqual(["background", "object"]);
    expect(objects(out, "well_1")).toEqual(layouts.objectLabels(12));
    expect(await labels(out, "well_1")).toEqual(layouts.objectLabels(12).map((id) => Number(id > 0)));
  });

  test("DRIVE: the observers' masks, not the field of view; splits of its folders", async () => {
    const { out, summary, notes, recognised } = await prepared(layouts.driveTree);
    expect(recognised).toContain("(pairs): 7 pictures with masks named after them");
    expect(summary.images).toEqual({ train: 5, test: 2 });
    expect(await labels(out, "21_training")).toEqual([...layouts.boxes(1, 1)]);
    expect(await labels(out, "01_test")).toEqual([...layouts.boxes(1, 0)]);
    expect(notes).toMatch(/Masks of other names left out: .*2nd_manual.*and 6 more/);
  });
});

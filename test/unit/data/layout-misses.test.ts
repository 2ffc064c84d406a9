import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseReading } from "../../../src/data/masks/parse-reading.ts";
import { preview } from "../../../src/data/prepare/preview.ts";
import { SET_KINDS } from "../../../src/data/prepare/sets.ts";
import { UsageError } from "../../../src/errors.ts";
import {
  boxes,
  grey,
  HEIGHT,
  labelTiff,
  objectLabels,
  photo,
  putText,
  rgb,
  WIDTH,
} from "../../support/raw/layout-pictures.ts";
import { nnunet2dTree } from "../../support/raw/layout-scans.ts";
import { cellposeTree, cocoTree } from "../../support/raw/layout-trees.ts";
import { fresh, run, values } from "../../support/raw/prepare.ts";
import { put } from "../../support/raw/trees.ts";

const refusal = async (raw: string, kind = "auto", settings = {}): Promise<string> =>
  run(kind, raw, fresh(), settings).then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message.replaceAll(raw, "RAW") : ""),
  );

/** A raw folder of files by name: text, or JSON of anything else. */
function folderOf(files: Readonly<Record<string, unknown>>): string {
  const raw = fresh();
  for (const [name, content] of Object.entries(files)) {
    if (content instanceof Uint8Array) put(raw, name, content);
    else putText(raw, name, content);
  }
  return raw;
}

const picture = photo(1);
const POLYGON = {
  type: "Polygon",
  coordinates: [
    [
      [0, 0],
      [2, 0],
      [2, 2],
      [0, 0],
    ],
  ],
};

const MISSES = [
  [
    "no labels",
    { "imagesTr/a_0000.png": picture },
    "The nearest is nnU-Net (nnunet), but imagesTr/ is there, labelsTr/ beside it is not.",
  ],
  [
    "YOLO's boxes",
    { "images/a.png": picture, "labels/a.txt": "\n0 0.5 0.5 0.2 0.2\n" },
    "The nearest is YOLO-seg (yolo), but labels/a.txt, line 2: holds a class and four numbers: a box of a detector, no outline",
  ],
  [
    "COCO without categories",
    { "a.png": picture, "a.json": { images: [], annotations: [] } },
    'The nearest is COCO (coco), but a.json: has no list "categories".',
  ],
  [
    "COCO with a wrong annotation",
    {
      "a.png": picture,
      "a.json": {
        images: [{ id: 1, file_name: "a.png" }],
        annotations: [{ image_id: 1, category_id: 1 }, { image_id: 1 }],
        categories: [],
      },
    },
    "The nearest is COCO (coco), but a.json: annotations[1].category_id: Invalid input.",
  ],
  [
    "labelme without labels",
    { "a.png": picture, "a.json": { imagePath: "a.png", shapes: [{ points: [] }] } },
    "The nearest is labelme (labelme), but a.json: shapes[0].label: ",
  ],
  [
    "GeoJSON with a geometry of another kind",
    {
      "a.png": picture,
      "a.geojson": [
        { type: "Feature", geometry: POLYGON },
        { type: "Feature", geometry: { type: "Circle" } },
      ],
    },
    "The nearest is QuPath GeoJSON (qupath), but a.geojson: features[1]: geometry",
  ],
  [
    "VOC without pictures",
    { "SegmentationClass/a.png": picture },
    "The nearest is Pascal VOC (voc), but JPEGImages/ is missing beside SegmentationClass/.",
  ],
  [
    "Cellpose's arrays",
    { "a.png": picture, "a_seg.npy": "x" },
    "(cellpose), but a_seg.npy: is a pickled Python object, which is never opened; save the masks",
  ],
  ["masks of other pictures", { "a.png": picture, "b_mask.png": picture }, "but b_mask.png: no picture is called b."],
  [
    "a Decathlon that is cut",
    { "dataset.json": { labels: {}, training: [{ image: "./imagesTr/a.nii.gz", label: "l" }] } },
    "but dataset.json: training[0] names ./imagesTr/a.nii.gz, which is not there.",
  ],
  [
    "pictures alone",
    { "a.png": picture },
    "Nothing in it looks like images with labels. Found: a.png. Known are kits23",
  ],
] as const;

describe("what is not known is described by the nearest layout and what differs", () => {
  test.each(MISSES)("%s", async (_, files, message) => {
    expect(await refusal(folderOf(files))).toContain(message);
  });

  test("a layout that someone names says what it expects", async () => {
    const raw = folderOf({ "a.png": picture });
    expect(await refusal(raw, "nnunet")).toBe(
      "RAW: this does not look like nnU-Net: there is no folder imagesTr/. Expected: imagesTr/CASE_0000.nii.gz (or .png, .tif; _0001 " +
        "for a second channel), labelsTr/CASE.nii.gz and dataset.json. Found: a.png",
    );
    expect(await refusal(`${raw}-none`, "coco")).toContain("there is no such folder");
    expect(await refusal(`${raw}-none`)).toContain("there is no such folder");
  });

  test("damaged lines are named: JSON, YOLO, a picture that may be two", async () => {
    const yolo = { "images/a.png": picture, "labels/a.txt": "0 0 0 1 0 1 1\n1 0 0 1 0 1\n" };
    expect(await refusal(folderOf(yolo))).toBe(
      "RAW/labels/a.txt, line 2: holds 5 numbers behind the class; a polygon has an even number of them, at least six; mend the line",
    );
    const broken = {
      "a.png": picture,
      "b.png": picture,
      "a.json": { imagePath: "a.png", shapes: [] },
      "b.json": '{\n"imagePath": "b.png",\n"shapes": [}',
    };
    expect(await refusal(folderOf(broken))).toMatch(
      /^RAW\/b\.json, line 3: this is no JSON \(.*\); mend or remove it$/,
    );
    const twice = {
      "x/a.png": picture,
      "y/a.png": picture,
      "coco.json": {
        images: [{ id: 1, file_name: "a.png" }],
        categories: [{ id: 1, name: "c" }],
        annotations: [{ image_id: 1, category_id: 1, segmentation: [[0, 0, 2, 0, 2, 2]] }],
      },
    };
    expect(await refusal(folderOf(twice))).toBe(
      "RAW/coco.json: names a.png, which may be x/a.png or y/a.png; write its path",
    );
  });

  test("an option that says nothing about what was found is refused", async () => {
    const raw = fresh();
    await cocoTree(raw);
    await expect(run("auto", raw, fresh(), { fold: 1 })).rejects.toThrow(UsageError);
    expect(await refusal(raw, "auto", { fold: 1 })).toBe("--fold says nothing about coco: it is for nnunet");
    expect(await refusal(raw, "auto", { reading: parseReading({ instances: true }) })).toBe(
      "--instances says nothing about coco: it is for folder, pairs, cellpose",
    );
  });
});

/** Pictures with label images of so many objects each. */
function labelled(counts: readonly number[], bits: 8 | 16 = 16, edit = (labels: number[]) => labels): string {
  const raw = fresh();
  for (const [at, count] of counts.entries()) {
    put(raw, `images/p${at}.png`, photo(at));
    put(raw, `masks/p${at}.tif`, labelTiff(edit(objectLabels(count)), bits));
  }
  return raw;
}

describe("label images whose numbers are objects", () => {
  const instances = async (raw: string, settings = {}) => {
    const out = fresh();
    const { notes } = await run("auto", raw, out, { test: 0, ...settings });
    return { kept: existsSync(`${out}/instances`), classes: await values(out, "p0"), notes: notes.join("\n") };
  };

  test.each([
    [16, [12, 3, 7, 1]],
    [16, [3, 2]],
    [8, [5, 4, 2, 0]],
  ] as const)("of %i bits, counting from 1: %j", async (bits, counts) => {
    const { kept, classes, notes } = await instances(labelled(counts, bits));
    expect([kept, classes]).toEqual([true, [0, 1]]);
    expect(notes).toContain("Masks number single objects: they count from 1 in every mask");
    expect(notes).toContain("if the numbers are classes, name these with --classes");
  });

  test("what may be both is refused with both options, and each of them decides", async () => {
    const same = labelled([5, 5, 5]);
    expect(await refusal(same)).toBe(
      "RAW: whether the numbers of the masks are objects or classes cannot be known: 16 bits hold 1 to 5 in every mask, each one " +
        "connected piece; --instances keeps them as objects of one class, --classes names them as classes",
    );
    expect(await refusal(labelled([6, 4], 16, (labels) => labels.map((id) => (id === 2 ? 0 : id))))).toContain(
      "16 bits hold up to 6, with gaps",
    );
    expect((await instances(same, { reading: parseReading({ instances: true }) })).kept).toBe(true);
    const named = await instances(same, { classes: ["a", "b", "c", "d", "e"] });
    expect([named.kept, named.classes]).toEqual([false, [0, 1, 2, 3, 4, 5]]);
  });

  test("classes stay classes: the same numbers everywhere, several pieces, few nested ones", async () => {
    for (const raw of [
      labelled([5, 5, 5], 8),
      labelled([3, 3, 3], 16),
      labelled([2, 1, 1], 16),
      labelled([6, 5, 4], 16, (labels) => labels.map((id) => Math.ceil(id / 2))),
    ]) {
      expect((await instances(raw)).kept).toBe(false);
    }
  });

  test("one class that is named is the objects' class; black and white stays so", async () => {
    expect((await instances(labelled([12, 3, 7]), { classes: ["cell"] })).kept).toBe(true);
    const raw = folderOf({
      "images/p0.png": photo(0),
      "masks/p0.png": grey(boxes(255, 255)),
      "images/p1.png": photo(1),
      "masks/p1.png": grey(boxes(255, 0)),
    });
    expect((await instances(raw)).kept).toBe(false);
  });
});

describe("before anything is written", () => {
  const set = SET_KINDS.find(({ name }) => name === "auto");
  if (set === undefined) throw new Error("no auto");
  const options = (from: string, out: string) => ({
    set,
    from,
    out,
    settings: { seed: 0, test: 0.2, every: 1 },
    workers: 0,
    command: "test",
  });

  test("a preview counts classes in all masks, shows three pictures, writes nothing", async () => {
    const [raw, out] = [fresh(), fresh()];
    cellposeTree(raw);
    const said: string[] = [];
    const { pictures, classes, images, colours } = await preview({
      ...options(raw, out),
      onPlan: ({ recognised }) => said.push(recognised?.as ?? ""),
    });
    expect(said).toEqual(["cellpose"]);
    expect(classes.map(({ name, pixels, images: own }) => [name, pixels, own])).toEqual([
      ["background", 5 * WIDTH * HEIGHT - 2 * 36, 5],
      ["object", 2 * (3 + 12 + 7 + 5 + 9), 5],
    ]);
    expect(pictures.map(({ imageName }) => imageName)).toEqual(["well_0.tif", "well_2.tif", "well_4.tif"]);
    expect(pictures[0]?.mask.data.reduce((sum, label) => sum + label, 0)).toBe(6);
    expect(images).toEqual({ train: 3, val: 1, test: 1 });
    expect(colours).toHaveLength(2);
    expect(existsSync(out) || existsSync(`${out}.partial`)).toBe(false);
    expect(readdirSync(raw)).toHaveLength(15);
  });

  test("a window is refused where all pictures have 8 bits, taken where one is deep", async () => {
    const raw = folderOf({
      "images/a.png": photo(1),
      "masks/a.png": grey(boxes(1, 0)),
      "images/b.png": rgb(2),
      "masks/b.png": grey(boxes(1, 0)),
      "images/c.png": rgb(3),
      "masks/c.png": grey(boxes(0, 1)),
    });
    const window = { low: 0, high: 100 };
    const message = await refusal(raw, "folder", { window });
    expect(message).toContain(
      "--window 0,100: all pictures in RAW have 8 bits, which are shown as they are, so that a window changes nothing",
    );
    await expect(run("folder", raw, fresh(), { window })).rejects.toThrow(UsageError);
    put(raw, "images/d.tif", labelTiff(objectLabels(3)));
    put(raw, "masks/d.png", grey(boxes(1, 0)));
    expect(await refusal(raw, "folder", { window })).toBe("");
  });

  test("three channels at most, each once", async () => {
    const raw = fresh();
    nnunet2dTree(raw);
    expect(await refusal(raw, "auto", { channels: ["0", "1", "0", "1"] })).toContain(
      "--channels names 4 channels; a picture takes up to 3",
    );
    expect(await refusal(raw, "auto", { channels: ["0", "DAPI"] })).toBe("--channels names a channel twice");
  });
});

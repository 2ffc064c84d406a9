import sharp from "sharp";
import { encodePng } from "../../../src/data/codec/png.ts";
import type { Rgb } from "../../../src/data/codec/png-read.ts";
import {
  BOXES,
  boxes,
  corners,
  grey,
  HEIGHT,
  jpeg,
  labelTiff,
  objectLabels,
  photo,
  rgb,
  SIZE,
  text,
  WIDTH,
} from "./layout-pictures.ts";
import { put } from "./trees.ts";

/**
 * The first box in COCO's runs, column by column in a picture of height 8: 2 columns of 8 and row 0 are 17 pixels before it, then 3
 * of each column with 5 between, 52 behind.
 */
export const BOX_RUNS = [17, 3, 5, 3, 5, 3, 5, 3, 52];
/** The same as `rleToString` of COCO's maskApi.c writes it: from the fourth on differences from the run two before. */
export const BOX_CODE = "a03500000_1";

/** COCO: polygons, runs both ways, a crowd, a category without objects, ids that do not begin at 1. */
export async function cocoTree(root: string): Promise<void> {
  const categories = [
    { id: 3, name: "car", supercategory: "vehicle" },
    { id: 44, name: "bottle", supercategory: "kitchen" },
    { id: 90, name: "toothbrush", supercategory: "indoor" },
  ];
  const flat = (box: 0 | 1) => corners(box).flat();
  for (const [split, first] of [
    ["train", 0],
    ["val", 4],
  ] as const) {
    const images = [0, 1, 2].map((at) => ({
      id: 100 + first + at,
      file_name: `00000000010${first + at}.jpg`,
      ...SIZE,
    }));
    for (const { id, file_name } of images) put(root, `${split}2017/${file_name}`, await jpeg(id % 7));
    const own = { iscrowd: 0, area: 12, bbox: [2, 1, 4, 3] };
    const annotations = [
      { ...own, id: 1, image_id: 100 + first, category_id: 90, segmentation: [flat(0)] },
      { ...own, id: 2, image_id: 100 + first, category_id: 3, segmentation: [flat(1)] },
      {
        ...own,
        id: 3,
        image_id: 101 + first,
        category_id: 90,
        segmentation: { size: [HEIGHT, WIDTH], counts: BOX_CODE },
      },
      {
        ...own,
        id: 4,
        image_id: 101 + first,
        category_id: 3,
        iscrowd: 1,
        segmentation: { size: [HEIGHT, WIDTH], counts: BOX_RUNS },
      },
    ];
    put(
      root,
      `annotations/instances_${split}2017.json`,
      text({ info: {}, licenses: [], images, annotations, categories }),
    );
    put(root, `annotations/captions_${split}2017.json`, text({ images, annotations: [{ id: 1, caption: "a car" }] }));
  }
}

/** Ultralytics: data.yaml, a polygon a line in shares of the sides, a picture without text file. */
export async function yoloTree(root: string): Promise<void> {
  const line = (label: number, box: 0 | 1) =>
    `${label} ${corners(box)
      .map(([x, y]) => `${(x / WIDTH).toFixed(6)} ${(y / HEIGHT).toFixed(6)}`)
      .join(" ")}`;
  put(
    root,
    "data.yaml",
    text("path: ../cells\ntrain: images/train\nval: images/val\nnames:\n  0: cell\n  1: nucleus\n"),
  );
  for (const [split, stem] of [
    ["train", "a"],
    ["train", "b"],
    ["val", "c"],
  ] as const) {
    put(root, `images/${split}/${stem}.jpg`, await jpeg(stem.charCodeAt(0) % 7));
    if (stem !== "b") put(root, `labels/${split}/${stem}.txt`, text(`${line(0, 0)}\n${line(1, 1)}\n`));
  }
}

const VOC_PALETTE = Array.from({ length: 256 }, (_, at): Rgb => [(at * 67) % 256, (at * 131) % 256, at]).with(
  0,
  [0, 0, 0],
);

/** Pascal VOC: palette PNGs whose 255 is the border of objects, lists of names. */
export async function vocTree(root: string): Promise<void> {
  const folder = "VOCdevkit/VOC2012";
  const indexed = (data: Uint8Array) => encodePng({ ...SIZE, channels: 1, data }, VOC_PALETTE);
  for (const [at, stem] of ["2007_000032", "2007_000033", "2007_000042", "2007_000061"].entries()) {
    put(root, `${folder}/JPEGImages/${stem}.jpg`, await jpeg(at));
    const mask = boxes(15, 20).with(0, 255);
    put(root, `${folder}/SegmentationClass/${stem}.png`, indexed(mask));
    put(root, `${folder}/SegmentationObject/${stem}.png`, indexed(boxes(1, 2).with(0, 255)));
  }
  put(root, `${folder}/JPEGImages/2007_999999.jpg`, await jpeg(6));
  put(root, `${folder}/ImageSets/Segmentation/train.txt`, text("2007_000032\n2007_000033\n"));
  put(root, `${folder}/ImageSets/Segmentation/val.txt`, text("2007_000042\n"));
  put(root, `${folder}/ImageSets/Segmentation/trainval.txt`, text("2007_000032\n2007_000033\n2007_000042\n"));
}

/** Pascal VOC as CVAT writes it: colours, and what they mean in labelmap.txt. */
export async function cvatTree(root: string): Promise<void> {
  const folder = "VOCdevkit/VOC2012";
  await vocTree(root);
  put(root, `${folder}/labelmap.txt`, text("background:0,0,0::\nignore:255,0,0::\ncell:0,255,0::\n"));
  const data = Uint8Array.from(
    [...boxes(1, 2)].flatMap((at) => [Number(at === 1), Number(at === 2), 0].map((on) => 255 * on)),
  );
  for (const stem of ["2007_000032", "2007_000033", "2007_000042"])
    put(root, `${folder}/SegmentationClass/${stem}.png`, encodePng({ ...SIZE, channels: 3, data }));
}

/** Data Science Bowl 2018: RGBA pictures, a file a nucleus, a test stage without masks. */
export async function dsbTree(root: string): Promise<void> {
  const rgba = (at: number) =>
    sharp(Buffer.alloc(4 * WIDTH * HEIGHT, 30 + at), { raw: { ...SIZE, channels: 4 } })
      .png()
      .toBuffer();
  for (let at = 0; at < 5; at++) {
    const id = `${at}0071198d059ba7f5914a526d124d28e6d010c92466da21d4a04cd5413362552`;
    put(root, `stage1_train/${id}/images/${id}.png`, await rgba(at));
    put(root, `stage1_train/${id}/masks/07a9bf1d.png`, grey(boxes(255, 0)));
    put(root, `stage1_train/${id}/masks/d3f1e8c2.png`, grey(boxes(0, 255)));
  }
  put(root, "stage1_test/f0/images/f0.png", await rgba(9));
  put(root, "stage1_train_labels.csv", text("ImageId,EncodedPixels\n"));
}

/** labelme 5: a json beside each picture, imageData empty, Windows paths, all kinds of shapes. */
export async function labelmeTree(root: string): Promise<void> {
  const bits = sharp(Buffer.from([255, 0, 255, 255, 255, 255]), { raw: { width: 3, height: 2, channels: 1 } });
  const mask = (await bits.png().toBuffer()).toString("base64");
  for (const [at, stem] of ["a", "b", "c", "d", "e"].entries()) {
    put(root, `${stem}.jpg`, await jpeg(at));
    const common = { group_id: null, description: "", flags: {} };
    const [left, top, right, bottom] = BOXES[0];
    const shapes = [
      {
        ...common,
        label: "polyp",
        shape_type: "rectangle",
        points: [
          [right, bottom],
          [left, top],
        ],
        mask: null,
      },
      { ...common, label: "instrument", shape_type: "polygon", points: corners(1), mask: null },
      {
        ...common,
        label: "polyp",
        shape_type: "mask",
        points: [
          [0, 5],
          [2, 6],
        ],
        mask,
      },
      {
        ...common,
        label: "__ignore__",
        shape_type: "circle",
        points: [
          [11, 1],
          [11, 2],
        ],
        mask: null,
      },
      { ...common, label: "tip", shape_type: "point", points: [[1, 1]], mask: null },
    ];
    const file = {
      version: "5.5.0",
      flags: {},
      shapes,
      imagePath: `..\\${stem}.jpg`,
      imageData: null,
      imageHeight: HEIGHT,
      imageWidth: WIDTH,
    };
    put(root, `${stem}.json`, text(file));
  }
}

/** QuPath 0.5: a FeatureCollection a picture, a hole, colours, a line; and a list of features as older versions write. */
export function qupathTree(root: string): void {
  for (const [at, stem] of ["a", "b", "c", "d", "e"].entries()) {
    put(root, `images/${stem}.png`, rgb(at));
    const closed = (box: 0 | 1) => [...corners(box), corners(box)[0]];
    const hole = [
      [3, 2],
      [5, 2],
      [5, 3],
      [3, 3],
      [3, 2],
    ];
    const own = (name: string, color: Rgb) => ({ objectType: "annotation", classification: { name, color } });
    const features = [
      {
        type: "Feature",
        id: "1",
        geometry: { type: "Polygon", coordinates: [closed(0), hole] },
        properties: own("Tumor", [200, 0, 0]),
      },
      {
        type: "Feature",
        id: "2",
        geometry: { type: "MultiPolygon", coordinates: [[closed(1)]] },
        properties: own("Stroma", [150, 200, 150]),
      },
      {
        type: "Feature",
        id: "3",
        geometry: {
          type: "LineString",
          coordinates: [
            [0, 0],
            [3, 3],
          ],
        },
        properties: own("Tumor", [200, 0, 0]),
      },
      {
        type: "Feature",
        id: "4",
        geometry: { type: "Polygon", coordinates: [closed(0)] },
        properties: { objectType: "annotation" },
      },
    ];
    put(root, `annotations/${stem}.geojson`, text(at === 0 ? features : { type: "FeatureCollection", features }));
  }
}

/** Cellpose's output beside its pictures: 16 bits, numbers from 1, and the arrays of its window. */
export function cellposeTree(root: string): void {
  for (const [at, count] of [3, 12, 7, 5, 9].entries()) {
    put(
      root,
      `well_${at}.tif`,
      labelTiff(
        Array.from({ length: WIDTH * HEIGHT }, (_, pixel) => (pixel * 11 + at) % 200),
        8,
      ),
    );
    put(root, `well_${at}_cp_masks.tif`, labelTiff(objectLabels(count)));
    put(root, `well_${at}_seg.npy`, text("pickled"));
  }
}

/** DRIVE: GIF masks by two observers, and the outline of the field of view, which is no mask. */
export async function driveTree(root: string): Promise<void> {
  const gif = (data: Uint8Array) =>
    sharp(data, { raw: { ...SIZE, channels: 1 } })
      .gif()
      .toBuffer();
  for (const number of [21, 22, 23, 24, 25]) {
    put(
      root,
      `training/images/${number}_training.tif`,
      labelTiff(
        [...photo(number).subarray(0, WIDTH * HEIGHT)].map((value) => value),
        8,
      ),
    );
    put(root, `training/1st_manual/${number}_manual1.gif`, await gif(boxes(255, 255)));
    put(root, `training/mask/${number}_training_mask.gif`, await gif(new Uint8Array(WIDTH * HEIGHT).fill(255)));
  }
  for (const number of ["01", "02"]) {
    put(root, `test/images/${number}_test.tif`, labelTiff(new Array(WIDTH * HEIGHT).fill(9), 8));
    put(root, `test/1st_manual/${number}_manual1.gif`, await gif(boxes(255, 0)));
    put(root, `test/2nd_manual/${number}_manual2.gif`, await gif(boxes(0, 255)));
    put(root, `test/mask/${number}_test_mask.gif`, await gif(new Uint8Array(WIDTH * HEIGHT).fill(255)));
  }
}

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePng } from "../../../src/data/codec/png.ts";
import { autoKind } from "../../../src/data/prepare/layouts/auto.ts";
import { runTask } from "../../../src/data/prepare/run-task.ts";
import type { FuzzTarget } from "../target.ts";

const SIZE = { width: 12, height: 8 };
const PICTURE = encodePng({ ...SIZE, channels: 1, data: new Uint8Array(96).fill(9) });
/** A bitmap of 3 x 2 pixels, as labelme keeps it. */
const BITMAP = encodePng({ width: 3, height: 2, channels: 1, data: Uint8Array.from([255, 0, 255, 255, 255, 255]) });

const SQUARE = [2, 1, 6, 1, 6, 4, 2, 4];
const CORNERS = [
  [2, 1],
  [6, 1],
  [6, 4],
  [2, 1],
];
const COCO = {
  images: [{ id: 1, file_name: "a.png", ...SIZE }],
  annotations: [
    { id: 1, image_id: 1, category_id: 2, segmentation: [SQUARE] },
    { id: 2, image_id: 1, category_id: 2, segmentation: { size: [8, 12], counts: "a03500000_1" } },
    { id: 3, image_id: 1, category_id: 2, iscrowd: 1, segmentation: { size: [8, 12], counts: [17, 3, 5, 3, 68] } },
    { id: 4, image_id: 1, category_id: 2, bbox: [1, 1, 2, 2] },
  ],
  categories: [{ id: 2, name: "cell" }],
};
const LABELME = {
  ...{ version: "5.5.0", imagePath: "..\\a.png", imageData: null },
  shapes: [
    { label: "cell", shape_type: "polygon", points: CORNERS, group_id: 1 },
    {
      label: "cell",
      shape_type: "circle",
      points: [
        [5, 5],
        [6, 6],
      ],
      group_id: null,
    },
    {
      label: "_ignore_",
      shape_type: "rectangle",
      points: [
        [0, 0],
        [3, 3],
      ],
    },
    {
      label: "cell",
      shape_type: "mask",
      points: [
        [1, 1],
        [3, 2],
      ],
      mask: BITMAP.toString("base64"),
    },
  ],
};
const PROPERTIES = { objectType: "annotation", classification: { name: "cell", color: [200, 0, 0] } };
const QUPATH = {
  type: "FeatureCollection",
  features: [
    { type: "Feature", geometry: { type: "Polygon", coordinates: [CORNERS] }, properties: PROPERTIES },
    {
      type: "Feature",
      geometry: { type: "MultiPolygon", coordinates: [[CORNERS], [CORNERS]] },
      properties: PROPERTIES,
    },
  ],
};
const YOLO = "0 0.1 0.1 0.5 0.1 0.5 0.6\n1 0.2 0.2 0.6 0.2 0.6 0.9 0.1 0.9\n";

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
/** What follows a list so deep that a parser which calls itself would run out of stack. */
const DEEP = `{"shapes": ${"[".repeat(100_000)}`;

/** Annotation files of other programs, from recognising them to painting what they draw. */
export const LAYOUT_TARGETS: readonly FuzzTarget[] = [
  {
    name: "annotations",
    seeds: () => [json(COCO), json(LABELME), json(QUPATH), Buffer.from(YOLO)],
    traps: () => [
      Buffer.from(DEEP),
      json({ ...COCO, images: [{ id: 1, file_name: "../../../etc/passwd" }] }),
      json({
        ...COCO,
        annotations: [{ image_id: 1, category_id: 2, segmentation: { size: [2 ** 31, 2 ** 31], counts: [2 ** 62] } }],
      }),
    ],
    head: 300,
    words: [
      '"counts":',
      '"size":[8,12]',
      '"segmentation":',
      "1e999",
      "-1e300",
      "[[[[",
      '"__proto__":{',
      "null",
      '"iscrowd":1',
      "0.5 ",
      "\n",
      "../",
    ],
    writes: ["fuzzed"],
    async run(bytes, folder) {
      const raw = join(folder, "fuzzed");
      mkdirSync(raw, { recursive: true });
      writeFileSync(join(raw, "a.png"), PICTURE);
      const isJson = /^[\s\uFEFF]*[[{]/.test(bytes.toString("latin1", 0, 20));
      writeFileSync(join(raw, isJson ? "a.json" : "a.txt"), bytes);
      writeFileSync(join(raw, isJson ? "a.txt" : "a.json"), "");
      const { tasks } = await autoKind.plan(raw, { seed: 0, test: 0, val: 0, every: 1 }, 0);
      for (const task of tasks) await runTask({ task, destination: { folder: undefined, palette: undefined } });
    },
  },
];

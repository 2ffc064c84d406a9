import { z } from "zod";
import { DataError } from "../../../errors.ts";
import { type Annotations, boxRing, IGNORE_NAME, type NamedShape, planAnnotated, polygonsOf } from "./annotated.ts";
import { asSchema, differenceFrom, readJson } from "./json-file.ts";
import { counted, type Layout, like, someOf, unlike } from "./layout.ts";
import { folderOf, type RawTree, splitOfPath } from "./raw-tree.ts";

const id = z.union([z.number(), z.string()]);
const polygon = z
  .array(z.number())
  .refine(
    (ring) => ring.length >= 6 && ring.length % 2 === 0,
    "a polygon is x, y, x, y, ... of at least three corners",
  );
const runs = z.object({
  size: z.tuple([z.int().min(1), z.int().min(1)]),
  counts: z.union([z.array(z.number()), z.string()]),
});

/** The format as published at cocodataset.org/#format-data. */
const schema = z.object({
  images: z.array(z.object({ id, file_name: z.string().min(1) })),
  annotations: z.array(
    z.object({
      id: id.optional(),
      image_id: id,
      category_id: id,
      segmentation: z.union([z.array(polygon), runs]).optional(),
      bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]).optional(),
      iscrowd: z.union([z.int(), z.boolean()]).optional(),
    }),
  ),
  categories: z.array(z.object({ id, name: z.string().min(1) })),
});
type CocoFile = z.infer<typeof schema>;
type CocoAnnotation = CocoFile["annotations"][number];

const EXPECTED =
  'a JSON file with "images", "annotations" (with "segmentation") and "categories", and its pictures; one file a split, named ' +
  "instances_train.json and instances_val.json or in train/ and valid/, or one for all";
const KEYS = ["images", "annotations", "categories"];

const isCoco = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  KEYS.every((key) => Array.isArray((value as Record<string, unknown>)[key]));

const hasOutline = ({ segmentation }: CocoAnnotation) =>
  segmentation !== undefined && (!Array.isArray(segmentation) || segmentation.length > 0);

/** A drawn object; of one that is only a box the box is ignored, since where in it the object lies is not known. */
function shapeOf(annotation: CocoAnnotation, at: number, name: string): NamedShape[] {
  const place = `annotation ${annotation.id ?? `number ${at + 1}`}`;
  const called = Number(annotation.iscrowd ?? 0) === 1 ? IGNORE_NAME : name;
  const { segmentation, bbox } = annotation;
  if (segmentation !== undefined && !Array.isArray(segmentation)) {
    const [height, width] = segmentation.size;
    return [{ name: called, place, outline: { kind: "runs", height, width, counts: segmentation.counts } }];
  }
  // The parts of an object are polygons without holes; their union is the object.
  if (hasOutline(annotation))
    return [{ name: called, place, outline: polygonsOf((segmentation ?? []).map((ring) => [ring])) }];
  if (bbox === undefined) return [];
  const [left, top, width, height] = bbox;
  return [{ name: IGNORE_NAME, place, outline: polygonsOf([[boxRing(left, top, left + width, top + height)]]) }];
}

function groupedBy<Item, Key>(items: readonly Item[], key: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** What an annotation file says, with its pictures. Throws DataError naming file and place of what is wrong. */
function annotationsIn(tree: RawTree, file: string, { images, annotations, categories }: CocoFile): Annotations {
  const path = tree.path(file);
  const names = new Map(categories.map((category) => [category.id, category.name]));
  const known = new Set(images.map((image) => image.id));
  for (const [at, { id: own, category_id, image_id }] of annotations.entries()) {
    const [what, value] = names.has(category_id) ? ["image_id", image_id] : ["category_id", category_id];
    if (names.has(category_id) && known.has(image_id)) continue;
    throw new DataError(
      `${path}: annotations[${at}] (id ${own ?? "none"}) has the ${what} ${value}, which is none of the file's; export it again`,
    );
  }
  const numbered = annotations.map((annotation, at) => ({ annotation, at }));
  const byImage = groupedBy(numbered, ({ annotation }) => annotation.image_id);
  const missing: string[] = [];
  const pictures = images.flatMap(({ id: own, file_name: name }) => {
    const image = tree.named(name, folderOf(file), file);
    if (image === undefined) missing.push(name);
    const drawn = (byImage.get(own) ?? []).flatMap(({ annotation, at }) =>
      shapeOf(annotation, at, names.get(annotation.category_id) ?? ""),
    );
    return image === undefined ? [] : [{ image, file, split: splitOfPath(file) ?? splitOfPath(image), shapes: drawn }];
  });
  if (missing.length > 0) {
    throw new DataError(`${path}: names pictures that are not there: ${someOf(missing)}; put them below ${tree.raw}`);
  }
  const crowds = annotations.filter(({ iscrowd }) => Number(iscrowd ?? 0) === 1).length;
  const boxes = annotations.filter((annotation) => !hasOutline(annotation)).length;
  const sorted = [...categories].sort((a, b) => Number(a.id) - Number(b.id));
  return {
    pictures,
    names: sorted.map(({ name }) => name),
    notes: [
      ...(crowds > 0 ? [`${file}: ${counted(crowds, "crowd")} (iscrowd 1) ignored (255)`] : []),
      ...(boxes > 0
        ? [`${file}: ${counted(boxes, "annotation")} with a box only: what lies in it is ignored (255)`]
        : []),
    ],
  };
}

/** The annotation files: those called `instances_...` where there are such (COCO's own downloads bring others too). */
function filesOf(tree: RawTree): readonly string[] {
  const all = tree.files.filter((file) => /\.json$/i.test(file));
  const instances = all.filter((file) => /(^|\/)instances[^/]*$/i.test(file));
  return instances.length > 0 ? instances : all;
}

/** The format of COCO, which CVAT, Label Studio, Roboflow and many others write. */
export const coco: Layout = {
  name: "coco",
  title: "COCO",
  summary: "COCO json: polygons and run lengths, crowds are ignored",
  expected: EXPECTED,
  async recognise(tree) {
    const samples = await tree.jsonSamples();
    const own = samples.find(({ value }) => isCoco(value));
    if (own === undefined) {
      const near = samples.find(({ value }) => KEYS.some((key) => key in Object(value)));
      if (near === undefined) return unlike(0, 'no JSON file has "images", "annotations" and "categories"');
      const lacks = KEYS.filter((key) => !Array.isArray(Object(near.value)[key]));
      return unlike(0.6, `${near.file}: has no list ${lacks.map((key) => `"${key}"`).join(", ")}`);
    }
    const differs = differenceFrom(schema, own.value);
    if (differs !== undefined) return unlike(0.9, `${own.file}: ${differs}`);
    const { images, annotations } = schema.parse(own.value);
    if (!annotations.some(hasOutline)) {
      return unlike(
        0.9,
        `${own.file}: none of its ${annotations.length} annotations has a segmentation: boxes hold no masks`,
      );
    }
    return like(
      "",
      `${own.file} has ${counted(images.length, "image")} and ${counted(annotations.length, "annotation")}`,
    );
  },
  async plan(tree, _root, settings) {
    const parts: Annotations[] = [];
    for (const file of filesOf(tree)) {
      const value = await readJson(tree.path(file));
      if (isCoco(value)) parts.push(annotationsIn(tree, file, asSchema(schema, value, tree.path(file))));
    }
    const joined = {
      pictures: parts.flatMap(({ pictures }) => pictures),
      names: [...new Set(parts.flatMap(({ names }) => names))],
      notes: parts.flatMap(({ notes }) => notes),
    };
    return planAnnotated(tree, "pictures", joined, settings);
  },
};

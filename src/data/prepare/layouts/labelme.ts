import { z } from "zod";
import { DataError } from "../../../errors.ts";
import {
  type AnnotatedPicture,
  type Annotations,
  boxRing,
  type NamedShape,
  planAnnotated,
  polygonsOf,
} from "./annotated.ts";
import { asSchema, differenceFrom, readJson } from "./json-file.ts";
import { counted, type Layout, like, unlike } from "./layout.ts";
import { folderOf, type RawTree, splitOfPath, stemOf } from "./raw-tree.ts";

const point = z.tuple([z.number(), z.number()]);
const schema = z.looseObject({
  imagePath: z.string().min(1),
  shapes: z.array(
    z.looseObject({
      label: z.string().min(1),
      points: z.array(point),
      shape_type: z.string().optional(),
      group_id: z.union([z.number(), z.string()]).nullish(),
      mask: z.string().nullish(),
    }),
  ),
});
type LabelmeFile = z.infer<typeof schema>;
type LabelmeShape = LabelmeFile["shapes"][number];

const EXPECTED = 'a NAME.json of labelme ("imagePath", "shapes") beside each picture';
const isLabelme = (value: unknown) =>
  Array.isArray(Object(value).shapes) && typeof Object(value).imagePath === "string";

/** Corners of a circle; enough that no middle of a pixel falls between polygon and circle up to some 1000 pixels. */
const CIRCLE_CORNERS = 720;

function circle([x, y]: readonly [number, number], [px, py]: readonly [number, number]): number[] {
  const radius = Math.hypot(px - x, py - y);
  return Array.from({ length: CIRCLE_CORNERS }, (_, at) => (2 * Math.PI * at) / CIRCLE_CORNERS).flatMap((angle) => [
    x + radius * Math.cos(angle),
    y + radius * Math.sin(angle),
  ]);
}

/** What a shape covers; undefined for points and lines, which cover nothing. */
function outlineOf({ shape_type: type = "polygon", points, mask }: LabelmeShape): NamedShape["outline"] | undefined {
  const [first, second] = points;
  if (type === "polygon") return points.length < 3 ? undefined : polygonsOf([[points.flat()]]);
  if (first === undefined || second === undefined) return undefined;
  if (type === "rectangle") {
    return polygonsOf([[boxRing(...first, ...second)]]);
  }
  if (type === "circle") return polygonsOf([[circle(first, second)]]);
  if (type !== "mask" || typeof mask !== "string") return undefined;
  return { kind: "bitmap", left: Math.round(first[0]), top: Math.round(first[1]), png: mask };
}

function pictureOf(
  tree: RawTree,
  file: string,
  { imagePath, shapes }: LabelmeFile,
): AnnotatedPicture & { left: number } {
  const folder = folderOf(file);
  const beside = tree.pictures(folder).find((image) => folderOf(image) === folder && stemOf(image) === stemOf(file));
  const image = tree.named(imagePath, folder, file) ?? beside;
  if (image === undefined) {
    throw new DataError(
      `${tree.path(file)}: its picture ${imagePath} is not there; put it beside the file (labelme_export_json writes it from imageData)`,
    );
  }
  const drawn = shapes.flatMap((shape, at): NamedShape[] => {
    const outline = outlineOf(shape);
    const group = shape.group_id === undefined || shape.group_id === null ? undefined : String(shape.group_id);
    return outline === undefined ? [] : [{ name: shape.label, place: `shapes[${at}]`, outline, group }];
  });
  return { image, file, split: splitOfPath(file), shapes: drawn, left: shapes.length - drawn.length };
}

/** labelme's files, one beside each picture. */
export const labelme: Layout = {
  name: "labelme",
  title: "labelme",
  summary: "labelme json beside each picture",
  expected: EXPECTED,
  async recognise(tree) {
    const samples = await tree.jsonSamples();
    const own = samples.find(({ value }) => isLabelme(value));
    if (own === undefined) {
      const near = samples.find(({ value }) => "shapes" in Object(value) || "imagePath" in Object(value));
      if (near === undefined) return unlike(0, 'no JSON file has "shapes" and "imagePath"');
      return unlike(0.6, `${near.file}: ${differenceFrom(schema, near.value)}`);
    }
    const differs = differenceFrom(schema, own.value);
    if (differs !== undefined) return unlike(0.9, `${own.file}: ${differs}`);
    return like("", `${own.file} has "imagePath" and ${counted(schema.parse(own.value).shapes.length, "shape")}`);
  },
  async plan(tree, _root, settings) {
    const pictures: AnnotatedPicture[] = [];
    let left = 0;
    for (const file of tree.files.filter((name) => /\.json$/i.test(name))) {
      const value = await readJson(tree.path(file));
      if (!isLabelme(value)) continue;
      const { left: own, ...picture } = pictureOf(tree, file, asSchema(schema, value, tree.path(file)));
      pictures.push(picture);
      left += own;
    }
    const annotations: Annotations = {
      pictures,
      names: [...new Set(pictures.flatMap(({ shapes }) => shapes.map(({ name }) => name)))].sort(),
      notes: [
        "Shapes of one label and group are one object",
        ...(left > 0 ? [`${counted(left, "shape")} left out: points and lines cover no pixels`] : []),
      ],
    };
    return planAnnotated(tree, "pictures", annotations, settings);
  },
};

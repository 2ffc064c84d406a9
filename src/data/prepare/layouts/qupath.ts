import { basename } from "node:path/posix";
import { z } from "zod";
import { DataError } from "../../../errors.ts";
import type { Rgb } from "../../codec/png-read.ts";
import { type AnnotatedPicture, type NamedShape, planAnnotated, polygonsOf } from "./annotated.ts";
import { asSchema, differenceFrom, readJson } from "./json-file.ts";
import { counted, type Layout, like, someOf, unlike } from "./layout.ts";
import { folderOf, PICTURE_ENDINGS, type RawTree, splitOfPath } from "./raw-tree.ts";

const byte = z.int().min(0).max(255);
const position = z.array(z.number()).min(2);
const ring = z.array(position).min(3);
const geometry = z.union([
  z.looseObject({ type: z.literal("Polygon"), coordinates: z.array(ring).min(1) }),
  z.looseObject({ type: z.literal("MultiPolygon"), coordinates: z.array(z.array(ring).min(1)).min(1) }),
  z.looseObject({ type: z.enum(["Point", "MultiPoint", "LineString", "MultiLineString", "GeometryCollection"]) }),
]);
const classification = z.looseObject({
  name: z.string().optional(),
  names: z.array(z.string()).optional(),
  color: z.tuple([byte, byte, byte]).optional(),
  colorRGB: z.int().optional(),
});
const feature = z.looseObject({
  type: z.literal("Feature"),
  geometry,
  properties: z.looseObject({ classification: classification.nullish() }).nullish(),
});
/** As QuPath writes: a collection, a list of objects (before 0.3), or a single one. */
const schema = z.union([
  z
    .looseObject({ type: z.literal("FeatureCollection"), features: z.array(feature) })
    .transform(({ features }) => features),
  z.array(feature),
  feature.transform((one) => [one]),
]);
type Feature = z.infer<typeof feature>;

const EXPECTED = "NAME.geojson of QuPath for each picture NAME.png or NAME.tif, beside it or in a folder of their own";
/** The class of objects where nobody classified any. */
const UNCLASSIFIED = "object";

const isGeoJson = (value: unknown) => {
  const { type } = Object(Array.isArray(value) ? value[0] : value);
  return type === "FeatureCollection" || type === "Feature";
};
const annotationFiles = (tree: RawTree) => tree.files.filter((file) => /\.(geo)?json$/i.test(file));

const classOf = ({ properties }: Feature): string | undefined => {
  const { name, names } = properties?.classification ?? {};
  return name || (names === undefined || names.length === 0 ? undefined : names.join(": "));
};

/** Red, green, blue; older files have one signed number of 0xAARRGGBB. */
function colourOf({ properties }: Feature): Rgb | undefined {
  const { color, colorRGB } = properties?.classification ?? {};
  if (color !== undefined || colorRGB === undefined) return color;
  return [(colorRGB >> 16) & 255, (colorRGB >> 8) & 255, colorRGB & 255];
}

function outlineOf({ geometry: shape }: Feature): NamedShape["outline"] | undefined {
  if (shape.type !== "Polygon" && shape.type !== "MultiPolygon") return undefined;
  const { type, coordinates } = shape as Extract<Feature["geometry"], { coordinates: unknown }>;
  const polygons = type === "Polygon" ? [coordinates as number[][][]] : (coordinates as number[][][][]);
  return polygonsOf(polygons.map((rings) => rings.map((corners) => corners.flatMap(([x = 0, y = 0]) => [x, y]))));
}

/** The picture of an annotation file: of its name, with or without the picture's own ending (`a.tif.geojson`). */
function imageOf(tree: RawTree, file: string): string {
  const own = basename(file).replace(/\.(geo)?json$/i, "");
  const endings = [...PICTURE_ENDINGS];
  const names = [own, ...endings.flatMap((ending) => [`${own}${ending}`, `${own}${ending.toUpperCase()}`])];
  for (const name of names) {
    if (!endings.some((ending) => name.toLowerCase().endsWith(ending))) continue;
    const image = tree.named(name, folderOf(file), file);
    if (image !== undefined) return image;
  }
  throw new DataError(
    `${tree.path(file)}: no picture is called ${own} (${endings.join(" ")}); put it below ${tree.raw}`,
  );
}

/** QuPath's export of objects, one file a picture, in pixels of the full picture. */
export const qupath: Layout = {
  name: "qupath",
  title: "QuPath GeoJSON",
  summary: "QuPath GeoJSON, one file a picture",
  expected: EXPECTED,
  async recognise(tree) {
    const samples = await tree.jsonSamples();
    const own = samples.find(({ value }) => isGeoJson(value));
    if (own === undefined) {
      const named = samples.find(({ file }) => /\.geojson$/i.test(file));
      if (named === undefined) return unlike(0, "no file is GeoJSON");
      return unlike(0.7, named.fault ?? `${named.file}: is no FeatureCollection and no list of Features`);
    }
    const differs = differenceFrom(schema, own.value);
    if (differs !== undefined) return unlike(0.9, `${own.file}: ${featureFault(own.value) ?? differs}`);
    return like("", `${own.file} is GeoJSON with ${counted(schema.parse(own.value).length, "object")}`);
  },
  async plan(tree, _root, settings) {
    const found: { file: string; features: readonly Feature[] }[] = [];
    for (const file of annotationFiles(tree)) {
      const value = await readJson(tree.path(file));
      if (!isGeoJson(value)) continue;
      const fault = featureFault(value);
      if (fault !== undefined) throw new DataError(`${tree.path(file)}: ${fault}; export it again`);
      found.push({ file, features: asSchema(schema, value, tree.path(file)) });
    }
    const all = found.flatMap(({ features }) => features);
    const anyClass = all.some((one) => classOf(one) !== undefined);
    const nameOf = (one: Feature) => classOf(one) ?? (anyClass ? undefined : UNCLASSIFIED);
    const pictures = found.map(({ file, features }): AnnotatedPicture => {
      const image = imageOf(tree, file);
      const shapes = features.flatMap((one, at): NamedShape[] => {
        const [name, outline] = [nameOf(one), outlineOf(one)];
        return name === undefined || outline === undefined ? [] : [{ name, outline, place: `features[${at}]` }];
      });
      return { image, file, split: splitOfPath(image) ?? splitOfPath(file), shapes };
    });
    const unnamed = all.filter((one) => nameOf(one) === undefined).length;
    const lines = all.filter((one) => outlineOf(one) === undefined);
    const colours = new Map(
      all.flatMap((one) => {
        const [name, colour] = [nameOf(one), colourOf(one)];
        return name === undefined || colour === undefined ? [] : [[name, colour] as const];
      }),
    );
    const notes = [
      ...(unnamed > 0 ? [`${counted(unnamed, "object")} without a classification left out`] : []),
      ...(lines.length > 0
        ? [
            `${counted(lines.length, "object")} left out, as they cover no pixels: ${someOf([...new Set(lines.map(({ geometry: { type } }) => type))])}`,
          ]
        : []),
    ];
    const names = [...new Set(all.flatMap((one) => nameOf(one) ?? []))].sort();
    return planAnnotated(tree, "microscopy", { pictures, names, colours, notes }, settings);
  },
};

/** The first feature that is not as it must be; a union's own message names none. */
function featureFault(value: unknown): string | undefined {
  const features: unknown = Array.isArray(value) ? value : (Object(value).features ?? [value]);
  if (!Array.isArray(features)) return 'the "features" are no list';
  const at = features.findIndex((one) => !feature.safeParse(one).success);
  return at < 0 ? undefined : `features[${at}]: ${differenceFrom(feature, features[at])}`;
}

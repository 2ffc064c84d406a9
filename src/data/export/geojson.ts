import type { FoundObject, ShownClass } from "./found-object.ts";
import { type Outline, outlinesOf, type Point, type Ring } from "./outlines.ts";

type Polygon = readonly (readonly Point[])[];

/** A feature as QuPath opens it: a detection with a class and its colour, in pixels of the full image. */
export interface GeoJsonFeature {
  readonly type: "Feature";
  readonly geometry: (
    | { readonly type: "Polygon"; readonly coordinates: Polygon }
    | { readonly type: "MultiPolygon"; readonly coordinates: readonly Polygon[] }
  ) & { readonly plane?: { readonly c: -1; readonly z: number; readonly t: 0 } };
  readonly properties: {
    readonly objectType: "detection";
    readonly classification: { readonly name: string; readonly color: readonly [number, number, number] };
    readonly measurements?: Readonly<Record<string, number>>;
  };
}

/**
 * The feature of an object in a mask of `width` columns. Coordinates are pixels' corners; holes are inner rings; `slice`,
 * from 0, is its z in a stack.
 */
export function geoJsonFeature(
  object: FoundObject,
  width: number,
  { name, colour }: ShownClass,
  slice?: number,
): GeoJsonFeature {
  const polygons = outlinesOf(object, width).map(polygonOf);
  const [only = []] = polygons;
  const shape =
    polygons.length === 1
      ? ({ type: "Polygon", coordinates: only } as const)
      : ({ type: "MultiPolygon", coordinates: polygons } as const);
  return {
    type: "Feature",
    geometry: { ...shape, ...(slice === undefined ? {} : { plane: { c: -1, z: slice, t: 0 } }) },
    properties: {
      objectType: "detection",
      classification: { name, color: colour },
      ...(object.measurements ? { measurements: object.measurements } : {}),
    },
  };
}

/** GeoJSON closes a ring by its first point. */
const closed = (ring: Ring): Point[] => [...ring, ...ring.slice(0, 1)];

const polygonOf = ({ shell, holes }: Outline): Polygon => [closed(shell), ...holes.map(closed)];

/** The document of an image's features, one a line. */
export function geoJsonText(features: readonly GeoJsonFeature[]): string {
  const lines = features.map((feature) => JSON.stringify(feature));
  return `{"type":"FeatureCollection","features":[\n${lines.join(",\n")}\n]}\n`;
}

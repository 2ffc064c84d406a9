import { boxOf, type FoundObject, type ShownClass } from "./found-object.ts";

interface Sides {
  readonly width: number;
  readonly height: number;
}

/** An object of COCO's `annotations`, its run lengths down the columns, packed as pycocotools reads and writes them. */
export interface CocoAnnotation {
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
  readonly segmentation: { readonly size: readonly [height: number, width: number]; readonly counts: string };
  /** Pixels. */
  readonly area: number;
  /** Left, top, width, height in pixels. */
  readonly bbox: readonly [number, number, number, number];
  readonly iscrowd: 0;
  /** Mean probability, where objects were measured. */
  readonly score?: number;
}

/** COCO's `categories`: the foreground classes, each with its index as its id. `classes` begin with the background. */
export function cocoCategories(classes: readonly ShownClass[]): { id: number; name: string }[] {
  return classes.slice(1).map(({ name }, index) => ({ id: index + 1, name }));
}

/** The annotation of one object of an image of so many pixels a side. */
export function cocoAnnotation(object: FoundObject, image: Sides, ids: { id: number; image: number }): CocoAnnotation {
  const { left, top, right, bottom } = boxOf(object, image.width);
  return {
    id: ids.id,
    image_id: ids.image,
    category_id: object.class,
    segmentation: { size: [image.height, image.width], counts: packCounts(columnRuns(object, image)) },
    area: object.pixels.length,
    bbox: [left, top, right - left, bottom - top],
    iscrowd: 0,
    ...(object.score === undefined ? {} : { score: object.score }),
  };
}

/** Lengths of runs outside and inside in turn, outside first, down one column after the other. */
export function columnRuns({ pixels }: FoundObject, { width, height }: Sides): number[] {
  const places = Float64Array.from(pixels, (at) => (at % width) * height + Math.floor(at / width)).sort();
  const runs: number[] = [];
  let [end, inside] = [0, 0];
  for (const place of places) {
    if (place !== end || inside === 0) {
      if (inside > 0) runs.push(inside);
      runs.push(place - end);
      inside = 0;
    }
    inside++;
    end = place + 1;
  }
  if (inside > 0) runs.push(inside);
  if (end < width * height) runs.push(width * height - end);
  return runs;
}

/**
 * Run lengths as text (`rleToString` of COCO's maskApi.c): from the fourth on each as its difference from the one two before,
 * in groups of five bits from the lowest up, a sixth bit where another group follows, from character "0" on.
 */
export function packCounts(runs: readonly number[]): string {
  let text = "";
  runs.forEach((run, index) => {
    let rest = index > 2 ? run - (runs[index - 2] ?? 0) : run;
    for (let more = true; more; ) {
      const group = rest & 0x1f;
      rest >>= 5;
      more = (group & 0x10) !== 0 ? rest !== -1 : rest !== 0;
      text += String.fromCharCode(48 + (more ? group | 0x20 : group));
    }
  });
  return text;
}

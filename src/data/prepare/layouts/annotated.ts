import { DataError } from "../../../errors.ts";
import { IGNORE_LABEL } from "../../../labels.ts";
import type { Rgb } from "../../codec/png-read.ts";
import type { SplitName } from "../../dataset/dataset.ts";
import type { Ring } from "../../masks/polygon.ts";
import { ownData, splitUnits } from "../own-data.ts";
import type { PictureTask, PreparationPlan, Settings } from "../plan.ts";
import type { Outline, Shape } from "../shapes.ts";
import { counted, someOf } from "./layout.ts";
import { type RawTree, stemOf } from "./raw-tree.ts";

/** An object as an annotation file has it: its class by name. */
export interface NamedShape extends Omit<Shape, "label"> {
  readonly name: string;
}

/** A picture with what is drawn on it. */
export interface AnnotatedPicture {
  /** Inside the raw folder. */
  readonly image: string;
  /** The annotation file, inside the raw folder. */
  readonly file: string;
  readonly split: SplitName | undefined;
  readonly shapes: readonly NamedShape[];
}

export interface Annotations {
  readonly pictures: readonly AnnotatedPicture[];
  /** Class names in their order, without the background. */
  readonly names: readonly string[];
  readonly colours?: ReadonlyMap<string, Rgb> | undefined;
  /** What should be known, in sentences. */
  readonly notes: readonly string[];
}

/** What annotation programs call a region that is to be left out of training: `ignore`, `__ignore__`, `Ignore*`. */
const IGNORED = /^_*ignored?_*\*?$/i;
/** What they call what is no object: `_background_`. */
const BACKGROUND = /^_*background_*$/i;
/** The name under which shapes are ignored, whatever the file calls them. */
export const IGNORE_NAME = "ignore";

const FILL_RULE =
  "Outlines are filled by pixel centres; where objects overlap, the smaller one is on top, and what is ignored (255) below all";

export const polygonsOf = (polygons: readonly (readonly Ring[])[]): Outline => ({ kind: "polygons", polygons });

/** The corners of a box. */
export const boxRing = (left: number, top: number, right: number, bottom: number): Ring => [
  ...[left, top, right, top],
  ...[right, bottom, left, bottom],
];

/** The classes, in order: those that were asked for, else those that occur. */
function chosenClasses(names: readonly string[], used: ReadonlySet<string>, { classes }: Settings, raw: string) {
  const there = names.filter((name) => used.has(name));
  const unknown = classes?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new DataError(
      `${raw}: no object is called ${JSON.stringify(unknown)}; --classes may name ${someOf(there, 20)}`,
    );
  }
  const chosen = classes ?? there;
  if (chosen.length === 0) throw new DataError(`${raw}: no picture has an object; there is nothing to learn`);
  if (chosen.length > 254) {
    throw new DataError(`${raw}: has ${chosen.length} classes, a mask can hold 254; choose some with --classes`);
  }
  const left = there.filter((name) => !chosen.includes(name));
  const absent = names.filter((name) => !used.has(name));
  return {
    chosen,
    notes: [
      ...(left.length > 0 ? [`Left out, as --classes names others: ${someOf(left, 8)}`] : []),
      ...(absent.length > 0 && classes === undefined
        ? [`Classes without an object are left out: ${someOf(absent, 8)}`]
        : []),
    ],
  };
}

function coloursOf(
  classes: readonly string[],
  colours: ReadonlyMap<string, Rgb> | undefined,
): readonly Rgb[] | undefined {
  const own = classes.flatMap((name) => {
    const colour = colours?.get(name);
    return colour === undefined ? [] : [colour];
  });
  const isUsable = own.length === classes.length && new Set(own.map(String)).size === own.length;
  return isUsable ? [[0, 0, 0], ...own] : undefined;
}

/** The plan of a set whose objects are drawn in annotation files. Throws DataError where nothing is drawn. */
export function planAnnotated(
  tree: RawTree,
  modality: string,
  annotations: Annotations,
  settings: Settings,
): PreparationPlan {
  const { names, colours } = annotations;
  const isBackground = ({ name }: NamedShape) => BACKGROUND.test(name);
  const backgrounds = annotations.pictures.reduce((sum, { shapes }) => sum + shapes.filter(isBackground).length, 0);
  const pictures = annotations.pictures.map((one) => ({
    ...one,
    shapes: one.shapes.filter((shape) => !isBackground(shape)),
  }));
  const used = new Set(
    pictures.flatMap(({ shapes }) => shapes.map(({ name }) => name)).filter((name) => !IGNORED.test(name)),
  );
  const { chosen, notes } = chosenClasses(
    names.filter((name) => !IGNORED.test(name) && !BACKGROUND.test(name)),
    used,
    settings,
    tree.raw,
  );
  const labels = new Map(chosen.map((name, at) => [name, at + 1]));
  const labelOf = (name: string) => (IGNORED.test(name) ? IGNORE_LABEL : labels.get(name));
  const split = splitUnits(
    pictures.map(({ image, split: fixed }) => ({ stem: stemOf(image), split: fixed })),
    settings,
    "pictures",
  );
  const tasks = pictures.map(({ image, file, shapes }, at): PictureTask => {
    const own = shapes.flatMap(({ name, ...shape }): Shape[] => {
      const label = labelOf(name);
      return label === undefined ? [] : [{ ...shape, label }];
    });
    return {
      ...{ kind: "picture", split: split.of(at), stem: stemOf(image), image: tree.path(image) },
      layers: [{ file: tree.path(file), shapes: own }],
      ...{ instances: true, window: settings.window },
    };
  });
  const empty = pictures.filter(({ shapes }) => shapes.length === 0).length;
  const own = coloursOf(chosen, colours);
  return {
    ...ownData(tree.raw, modality, settings),
    classes: ["background", ...chosen],
    ...(own ? { colours: own } : {}),
    tasks,
    notes: [
      split.note,
      FILL_RULE,
      ...(empty > 0 ? [`${counted(empty, "picture")} without objects: all background`] : []),
      ...(backgrounds > 0 ? [`${counted(backgrounds, "shape")} called background left out`] : []),
      ...notes,
      ...annotations.notes,
    ],
  };
}

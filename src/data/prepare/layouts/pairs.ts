import { DataError } from "../../../errors.ts";
import { MASK_SUFFIX } from "../../masks/read-mask.ts";
import { readingFor } from "../mask-reading.ts";
import { ownData, splitUnits } from "../own-data.ts";
import type { FileLayer, Layer, PictureTask, Settings } from "../plan.ts";
import { requirePairs } from "../raw-folder.ts";
import { counted, type Layout, like, type Recognition, someOf, unlike } from "./layout.ts";
import { folderOf, type RawTree, splitOfPath, stemOf } from "./raw-tree.ts";

/**
 * What stands behind an image's name to call its mask, the surest first: DRIVE has `21_manual1.gif` beside the outline of the
 * field of view, `21_training_mask.gif`.
 */
const SUFFIXES: readonly RegExp[] = [
  /[-_ ]manual1$/i,
  /[-_ ]1stHO$/,
  /[-_ ]cp_masks?$/i,
  /[-_ ](segmentations?|seg)$/i,
  /[-_ ]masks?([-_ ]?\d+)?$/i,
  /[-_ ](labels?|lbl|annotations?|anno)$/i,
  MASK_SUFFIX,
];
/** Neither images nor masks: second opinions on what `_manual1` and `_1stHO` show, what ISIC gives along. */
const NEITHER = /[-_ ](manual2|2ndHO|superpixels)$/i;
/** What stands behind an image's name to call it an image. */
const IMAGE_SUFFIX = /[-_ ](img|image|im|training|test|orig|original|raw|input)$/i;

interface Pair {
  readonly image: string;
  readonly masks: readonly string[];
}

interface Pairs {
  readonly pairs: readonly Pair[];
  /** Masks of a suffix that another one is surer than, and what is neither. */
  readonly left: readonly string[];
  /** Pictures beside pairs that have no mask. */
  readonly alone: readonly string[];
  /** Names of masks whose picture is not there. */
  readonly orphans: readonly string[];
}

/** The part of a mask's name that its image has too, and the rank of its suffix; undefined where it is no mask's name. */
function maskName(stem: string): { base: string; rank: number } | undefined {
  const rank = SUFFIXES.findIndex((suffix) => suffix.test(stem));
  const suffix = SUFFIXES[rank];
  return suffix === undefined ? undefined : { base: stem.replace(suffix, ""), rank };
}

/** Of several files of a name the one in the same folder, else the only one of the same split. */
function nearest(files: readonly string[], folder: string): string | undefined {
  const here = files.find((file) => folderOf(file) === folder);
  if (here !== undefined) return here;
  const split = splitOfPath(`${folder}/x`);
  const same = files.filter((file) => splitOfPath(file) === split);
  return same.length === 1 ? same[0] : undefined;
}

interface Named {
  readonly file: string;
  readonly base: string;
  readonly rank: number;
}

/** Pictures and masks by their names; of the masks those whose suffix is the surest of the set. */
function sorted(tree: RawTree) {
  const images: string[] = [];
  const named: Named[] = [];
  const left: string[] = [];
  for (const file of tree.pictures()) {
    const stem = stemOf(file);
    const mask = maskName(stem);
    if (NEITHER.test(stem)) left.push(file);
    else if (mask === undefined) images.push(file);
    else named.push({ file, ...mask });
  }
  return { images, named, left };
}

function byNames(images: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const byName = new Map<string, string[]>();
  for (const file of images) {
    const stem = stemOf(file);
    for (const name of new Set([stem, stem.replace(IMAGE_SUFFIX, "")])) {
      byName.set(name, [...(byName.get(name) ?? []), file]);
    }
  }
  return byName;
}

function pairsIn(tree: RawTree): Pairs {
  const { images, named, left } = sorted(tree);
  const byName = byNames(images);
  const imageOf = ({ file, base }: Named) => {
    const names = [base, base.replace(IMAGE_SUFFIX, "")];
    return names.map((name) => nearest(byName.get(name) ?? [], folderOf(file))).find((one) => one !== undefined);
  };
  const matched = named.map((mask) => ({ ...mask, image: imageOf(mask) }));
  const best = Math.min(...matched.filter(({ image }) => image !== undefined).map(({ rank }) => rank));
  const found = new Map<string, string[]>();
  const orphans: string[] = [];
  for (const { file, image, rank } of matched) {
    if (rank > best) left.push(file);
    else if (image === undefined) orphans.push(file);
    else found.set(image, [...(found.get(image) ?? []), file]);
  }
  const folders = new Set([...found.keys()].map(folderOf));
  const alone = images.filter((file) => folders.has(folderOf(file)) && !found.has(file));
  return { pairs: [...found].map(([image, masks]) => ({ image, masks })), left, alone, orphans };
}

const EXPECTED =
  "a.jpg with a_mask.png, a_segmentation.png, a_manual1.gif, a_label.tif or the like, beside it or in a folder of their own";

function recogniseIn(tree: RawTree): Recognition {
  const { pairs, orphans } = pairsIn(tree);
  const [first] = pairs;
  if (first === undefined) {
    const [orphan] = orphans;
    return orphan === undefined || pairs.length > 0
      ? unlike(0, "no picture is named as another with _mask or the like behind")
      : unlike(0.5, `${orphan}: no picture is called ${maskName(stemOf(orphan))?.base ?? ""}`);
  }
  return like(
    "",
    `${counted(pairs.length, "picture")} with masks named after them, such as ${first.image} and ${first.masks[0]}`,
  );
}

/** Throws DataError where two masks of a picture cannot be one: they must be numbered (`_mask`, `_mask_1`). */
function layersOf(tree: RawTree, { image, masks }: Pair, layer: Omit<FileLayer, "file">): readonly Layer[] {
  const numbered = masks.filter((file) => /\d$/.test(stemOf(file).replace(stemOf(image), "")));
  if (masks.length > 1 && masks.length - numbered.length > 1) {
    const names = masks.map((file) => tree.path(file));
    throw new DataError(`${names.join(" and ")}: both are masks of ${image}; rename or remove one of them`);
  }
  return masks.map((file) => ({ ...layer, file: tree.path(file) }));
}

async function planPairs(tree: RawTree, settings: Settings, workers: number) {
  const { pairs, left, alone, orphans } = pairsIn(tree);
  requirePairs(
    tree.raw,
    [...pairs.map(({ image }) => image), ...alone],
    [...pairs.map(({ image }) => image), ...orphans],
  );
  const masks = pairs.flatMap(({ masks: own }) => own.map((file) => tree.path(file)));
  const { reading, note, classes } = await readingFor(tree.raw, masks, settings, workers);
  const units = pairs.map(({ image }) => ({ stem: stemOf(image), split: splitOfPath(image) }));
  const split = splitUnits(units, settings, "pictures");
  const tasks = pairs.map(
    (pair, at): PictureTask => ({
      ...{ kind: "picture", split: split.of(at), stem: stemOf(pair.image), image: tree.path(pair.image) },
      layers: layersOf(tree, pair, { value: "labels", reading }),
      ...{ page: settings.page, window: settings.window },
    }),
  );
  const joined = pairs.filter(({ masks: own }) => own.length > 1).length;
  return {
    ...ownData(tree.raw, "pictures", settings),
    classes: classes === undefined ? undefined : ["background", ...classes],
    tasks,
    notes: [
      ...[split.note, note],
      ...(joined > 0 ? [`${counted(joined, "picture")} with several numbered masks: these are painted into one`] : []),
      ...(left.length > 0 ? [`Masks of other names left out: ${someOf(left)}`] : []),
    ],
  };
}

/** Pictures with masks that are named after them. */
export const pairs: Layout = {
  name: "pairs",
  title: "pictures with masks named after them",
  summary: "a.jpg with a_mask.png, _segmentation, _manual1, ... beside it or elsewhere",
  expected: EXPECTED,
  recognise: async (tree) => recogniseIn(tree),
  plan: (tree, _root, settings, workers) => planPairs(tree, settings, workers),
};

/** Label images of Cellpose, ImageJ and StarDist: each number but 0 is one object. */
export const cellpose: Layout = {
  name: "cellpose",
  title: "label images of Cellpose or ImageJ",
  summary: "label images of Cellpose, ImageJ or StarDist: every number an object",
  expected: "a.tif or a_img.tif with a_cp_masks.png, a_masks.tif or a_label.tif, whose numbers are the objects",
  sign: (tree) => tree.files.find((file) => /_cp_masks?\.(png|tiff?)$|_seg\.npy$/i.test(file)),
  async recognise(tree) {
    const found = recogniseIn(tree);
    if (found.is) return found;
    const arrays = tree.files.filter((file) => /_seg\.npy$/i.test(file));
    if (arrays[0] === undefined) return found;
    return unlike(
      0.8,
      `${arrays[0]}: is a pickled Python object, which is never opened; save the masks as PNG or TIFF in Cellpose`,
    );
  },
  plan: (tree, _root, settings, workers) =>
    planPairs(tree, { ...settings, reading: settings.reading ?? { kind: "instances" } }, workers),
};

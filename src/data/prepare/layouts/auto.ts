import { DataError } from "../../../errors.ts";
import { atlas } from "../atlas.ts";
import { fives } from "../fives.ts";
import { niftiKind, npzKind } from "../generic.ts";
import { dicomKind } from "../generic-dicom.ts";
import { folderKind, placesIn } from "../generic-folder.ts";
import { isic2018 } from "../isic2018.ts";
import { kits23 } from "../kits23.ts";
import { refuseUnused } from "../options.ts";
import type { PreparationPlan, SetKind, Settings } from "../plan.ts";
import { polypgen } from "../polypgen.ts";
import { tissuenet } from "../tissuenet.ts";
import { coco } from "./coco.ts";
import { decathlon } from "./decathlon.ts";
import { dsb2018 } from "./dsb2018.ts";
import { labelme } from "./labelme.ts";
import { contentText, type Layout, like, type Recognition, someOf, unlike } from "./layout.ts";
import { nnunet } from "./nnunet.ts";
import { cellpose, pairs } from "./pairs.ts";
import { qupath } from "./qupath.ts";
import { RawTree } from "./raw-tree.ts";
import { voc } from "./voc.ts";
import { yolo } from "./yolo.ts";

/** The layouts, in the order in which they are tried: what says most about itself first. */
export const LAYOUTS: readonly Layout[] = [
  ...[nnunet, decathlon, coco, yolo, voc, dsb2018],
  ...[labelme, qupath, cellpose, pairs],
];

/** Something `auto` may find. */
interface Candidate {
  readonly kind: Pick<SetKind, "name"> & { readonly title: string };
  recognise(tree: RawTree): Promise<Recognition>;
  plan(tree: RawTree, root: string, settings: Settings, workers: number): Promise<PreparationPlan>;
}

function fromLayout(layout: Layout): Candidate {
  return {
    kind: layout,
    async recognise(tree) {
      const found = await layout.recognise(tree);
      if (!found.is || layout.sign === undefined) return found;
      const sign = layout.sign(tree);
      return sign === undefined
        ? unlike(0, `no name shows ${layout.title}`)
        : { ...found, evidence: `${sign}; ${found.evidence}` };
    },
    plan: (tree, root, settings, workers) => layout.plan(tree, root, settings, workers),
  };
}

/** A kind that has no recogniser of its own: `looks` says by names whether it may be, then its plan decides. */
function fromKind(
  kind: SetKind,
  title: string,
  looks: (tree: RawTree) => string | undefined | Promise<string | undefined>,
): Candidate {
  return {
    kind: { name: kind.name, title },
    async recognise(tree) {
      const evidence = await looks(tree);
      return evidence === undefined ? unlike(0, "") : like("", evidence);
    },
    plan: (tree, _root, settings, workers) => kind.plan(tree.raw, settings, workers),
  };
}

const fileLike = (pattern: RegExp) => (tree: RawTree) => {
  const found = tree.files.find((file) => pattern.test(file));
  return found && `its files are called as ${found}`;
};

/** The paper's sets, by names that no other set has. */
const PUBLISHED: readonly Candidate[] = [
  fromKind(kits23, "KiTS23", fileLike(/(^|\/)case_\d{5}\/imaging\.nii(\.gz)?$/)),
  fromKind(atlas, "ATLAS", fileLike(/(^|\/)labelsTr\/lb\d+\.nii(\.gz)?$/)),
  fromKind(isic2018, "ISIC 2018", fileLike(/(^|\/)ISIC2018_Task1_\w+_GroundTruth\/.*\.png$/)),
  fromKind(fives, "FIVES", fileLike(/(^|\/)train\/Ground truth\/\d+_[ADGN]\.png$/)),
  fromKind(polypgen, "PolypGen", fileLike(/(^|\/)data_C1\/images_C1\//)),
  fromKind(tissuenet, "TissueNet", fileLike(/(^|\/)tissuenet[^/]*_train\.npz$/i)),
];

const OWN: readonly Candidate[] = [
  fromKind(niftiKind, "NIfTI volumes", fileLike(/\.nii(\.gz)?$/i)),
  fromKind(folderKind, "folders of pictures and masks", async (tree) => {
    const inside = (path: string) => path.slice(tree.raw.length + 1).replaceAll("\\", "/");
    const places = (await placesIn(tree.raw)).map((place) => [inside(place.images), inside(place.masks)] as const);
    const found = places.find((folders) => folders.every((folder) => tree.pictures(folder).length > 0));
    return found && `${found[0]}/ and ${found[1]}/ hold pictures`;
  }),
  fromKind(npzKind, "NumPy archives", fileLike(/\.npz$/i)),
  fromKind(dicomKind, "DICOM", fileLike(/\.dcm$|(^|\/)DICOMDIR$/i)),
];

const CANDIDATES: readonly Candidate[] = [...PUBLISHED, ...LAYOUTS.map(fromLayout), ...OWN];

/** What many a folder could be read as: not worth saying beside a layout that says more. */
const GENERAL: ReadonlySet<string> = new Set([...OWN.map(({ kind }) => kind.name), pairs.name]);

interface Found {
  readonly candidate: Candidate;
  readonly recognition: Recognition;
}

/** The error of a folder that is of no layout: the nearest, and what differs. */
function unknown(tree: RawTree, all: readonly Found[]): DataError {
  const misses = all.flatMap(({ candidate: { kind }, recognition }) =>
    recognition.is ? [] : [{ kind, ...recognition }],
  );
  const [nearest] = misses.sort((a, b) => b.likeness - a.likeness);
  const near =
    nearest === undefined || nearest.likeness === 0
      ? "Nothing in it looks like images with labels"
      : `The nearest is ${nearest.kind.title} (${nearest.kind.name}), but ${nearest.differs}`;
  return new DataError(
    `${tree.raw}: this is no layout that is known. ${near}. Found: ${contentText(tree)}. Known are ` +
      `${CANDIDATES.map(({ kind }) => kind.name).join(", ")}: svanet data prepare NAME says what each expects`,
  );
}

/** Finds out what a folder is, says so, and plans it. */
export const autoKind: SetKind = {
  name: "auto",
  summary: "whatever lies in the folder: it is recognised, and what it was taken for is said",
  async plan(raw, settings, workers) {
    const tree = await RawTree.read(raw);
    const all: Found[] = [];
    for (const candidate of CANDIDATES) all.push({ candidate, recognition: await candidate.recognise(tree) });
    const [first, ...others] = all.filter(({ recognition }) => recognition.is);
    if (first === undefined || !first.recognition.is) throw unknown(tree, all);
    const { kind } = first.candidate;
    refuseUnused(kind.name, settings);
    const also = others.map(({ candidate }) => candidate.kind.name).filter((name) => !GENERAL.has(name));
    const rest =
      also.length > 0 ? `. It could be read as ${someOf(also, 8)} too: name one instead of auto if that is meant` : "";
    const sentence = `Recognised as ${kind.title} (${kind.name}): ${first.recognition.evidence}${rest}`;
    const plan = await first.candidate.plan(tree, first.recognition.root, settings, workers);
    return { ...plan, recognised: { as: kind.name, sentence } };
  },
};

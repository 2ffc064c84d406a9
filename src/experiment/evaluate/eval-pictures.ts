import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ImageSource, readImageSource } from "../../data/channel-picture.ts";
import { writePng } from "../../data/decode.ts";
import type { Window } from "../../data/formats/window.ts";
import { drawn } from "../../data/image/image.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { makeInnerFolder } from "../../files/folder.ts";
import type { ImageResult } from "../../metrics/evaluation.ts";
import { judgedOverlay, type LabelMap, VERDICTS } from "./overlay.ts";
import { PackedMap } from "./packed-map.ts";
import { type LegendEntry, picturePage } from "./picture-page.ts";

/** An evaluated image: its file, and what was found in it beside the truth, of any size. */
export interface JudgedMap {
  readonly sample: ImageSource & { readonly stem: string; readonly window?: Window | undefined };
  readonly prediction: ArrayLike<number>;
  readonly target: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
}

/** Why an image is shown. `smallest` are those whose largest object is smallest. */
export const REASONS = ["worst", "smallest", "median", "best"] as const;
export type Reason = (typeof REASONS)[number];

/** An image that is shown, as the `number`-th of its reason. */
export interface ChosenImage {
  readonly name: string;
  readonly reason: Reason;
  readonly number: number;
  /** Foreground Dice in percent; 0 where there is nothing and something was found, 100 where rightly nothing. */
  readonly dice: number;
}

/** How images are drawn. */
interface DrawnOptions {
  /** The network's. */
  readonly classes: number;
  /** Channels that pictures are made of, one in grey or three; undefined: the first three, else the first. */
  readonly show?: readonly number[] | undefined;
}

/** What of an image's scores decides. */
type Scored = Pick<ImageResult, "name" | "foregroundDice" | "imageDice" | "sharePixels">;

/** What ranks images, percent. In one without objects overlap says nothing: nothing found is right, anything is wrong. */
export const diceOf = ({ foregroundDice, imageDice }: Pick<ImageResult, "foregroundDice" | "imageDice">): number =>
  Number.isFinite(foregroundDice) ? foregroundDice : imageDice === 100 ? 100 : 0;

/**
 * Up to `count` images to look at: in turn the next worst, the one with the next smallest objects, the next nearest to the
 * median and the next best by foreground Dice, none twice. Ties go by name.
 */
export function chooseImages(images: readonly Scored[], count: number): ChosenImage[] {
  const byName = (a: Scored, b: Scored) => (a.name < b.name ? -1 : 1);
  const ranked = [...images].sort((a, b) => diceOf(a) - diceOf(b) || byName(a, b));
  const middle = (ranked.length - 1) / 2;
  const distance = new Map(ranked.map((image, rank) => [image, Math.abs(rank - middle)]));
  const queues: Record<Reason, Scored[]> = {
    worst: [...ranked],
    smallest: images
      .filter(({ sharePixels }) => sharePixels > 0)
      .sort((a, b) => a.sharePixels - b.sharePixels || byName(a, b)),
    median: [...ranked].sort((a, b) => (distance.get(a) ?? 0) - (distance.get(b) ?? 0)),
    best: [...ranked].reverse(),
  };
  const chosen: ChosenImage[] = [];
  const taken = new Set<Scored>();
  for (let number = 1; chosen.length < Math.min(count, images.length); number++) {
    for (const reason of REASONS) {
      const image = queues[reason].find((candidate) => !taken.has(candidate));
      if (image === undefined || chosen.length >= count) continue;
      taken.add(image);
      chosen.push({ name: image.name, reason, number, dice: diceOf(image) });
    }
  }
  return chosen;
}

/** Pictures of a former evaluation, which others replace. */
const OURS = new RegExp(`^(${REASONS.join("|")})-\\d+-.*-overlay\\.png$`);

/** Keeps what was found in every image, in little memory, until the ones that are worth a look are known. */
export class EvalPictures {
  readonly #kept = new Map<string, { sample: JudgedMap["sample"]; prediction: PackedMap; target: PackedMap }>();

  add({ sample, prediction, target, width, height }: JudgedMap): void {
    const packed = (data: ArrayLike<number>) => new PackedMap({ width, height, data });
    this.#kept.set(sample.stem, { sample, prediction: packed(prediction), target: packed(target) });
  }

  /**
   * Writes `<reason>-<number>-<stem>-overlay.png` of up to `count` images into `folder`, in place of a former evaluation's;
   * an image that cannot be read a second time throws as `readPicture`. Gives what was chosen.
   */
  async write(
    folder: string,
    images: readonly Scored[],
    { count, classes, show }: DrawnOptions & { readonly count: number },
  ): Promise<ChosenImage[]> {
    const chosen = chooseImages(images, count);
    if (count > 0) makeInnerFolder(folder);
    if (count > 0) for (const name of readdirSync(folder)) if (OURS.test(name)) rmSync(join(folder, name));
    for (const { name, reason, number, dice } of chosen) {
      const kept = this.#kept.get(name);
      if (kept === undefined) continue;
      const map = { sample: kept.sample, prediction: kept.prediction.unpack(), target: kept.target.unpack() };
      const title = [name, `${reason} ${number} of ${images.length} images: foreground Dice ${dice.toFixed(1)} %`];
      await writeJudged(join(folder, `${reason}-${number}-${name}-overlay.png`), map, { title, classes, show });
    }
    return chosen;
  }
}

/** What the colours of a judged picture mean; `other class` is for networks of several. */
export function verdictLegend(classes: number): LegendEntry[] {
  return [
    { text: "hit", colour: VERDICTS.hit },
    { text: "missed", colour: VERDICTS.missed },
    { text: "false", colour: VERDICTS.false },
    ...(classes > 2 ? [{ text: "other class", colour: VERDICTS.other }] : []),
  ];
}

/** Writes the image at its own size, and beside it what was hit, missed and wrongly found. */
async function writeJudged(
  file: string,
  { sample, prediction, target }: { sample: JudgedMap["sample"]; prediction: LabelMap; target: LabelMap },
  { title, classes, show }: DrawnOptions & { readonly title: readonly string[] },
): Promise<void> {
  const image = shownInColour(drawn(await readImageSource(sample, { dataset: sample.window })), show);
  const pictures = [{ picture: image }, { picture: judgedOverlay(image, prediction, target) }];
  await writePng(file, picturePage(pictures, { title, legend: verdictLegend(classes) }));
}

/**
 * Writes `<stem>-overlay.png` of one evaluated image of a network of so many `classes`: the image at its own size, and beside it
 * what was hit, missed and wrongly found.
 */
export async function writeOverlay(folder: string, map: JudgedMap, classes: number): Promise<void> {
  const { sample, width, height } = map;
  makeInnerFolder(folder);
  const labels = (data: ArrayLike<number>) => ({ width, height, data });
  const judged = { sample, prediction: labels(map.prediction), target: labels(map.target) };
  await writeJudged(join(folder, `${sample.stem}-overlay.png`), judged, { title: [sample.stem], classes });
}

import { readImageSource } from "../../data/channel-picture.ts";
import type { Sample } from "../../data/dataset/dataset.ts";
import { readMask } from "../../data/decode.ts";
import { type ByteImage, drawn } from "../../data/image/image.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { SvanetError, UsageError } from "../../errors.ts";
import { Predictor } from "../../inference/predictor.ts";
import type { Device } from "../../kernels/device/device.ts";
import { Evaluation } from "../../metrics/evaluation.ts";
import { checkpointPath, loadNetwork } from "../checkpoint/load-run.ts";
import { chooseImages, diceOf } from "../evaluate/eval-pictures.ts";
import { judgedOverlay, overlay } from "../evaluate/overlay.ts";
import { type EvaluatedRun, evaluatedRuns, imageScores, setsOf } from "./charts/groups.ts";
import { rounded } from "./curves.ts";
import type { GridReason, GridRow, PictureGrid, ReportImage, ReportRun } from "./data.ts";
import type { SetNames } from "./images.ts";
import { samplesOf } from "./thumbnails.ts";
import { worstSquare, zoomedPicture } from "./zoom.ts";

/** What grids are made of. */
interface GridInput {
  readonly runs: readonly ReportRun[];
  readonly images: readonly ReportImage[];
  readonly sets: SetNames;
  readonly note: (sentence: string) => void;
}

/** Images of a grid that is chosen by rule: in turn the next worst, smallest, median and best. */
const CHOSEN = 8;
/** Columns of a grid: more are not legible on a page. */
const MOST_NETWORKS = 12;

/** An image of a grid with what is known of it before any network has seen it. */
interface GridImage {
  readonly sample: Sample;
  readonly reason: GridReason;
  readonly share: number;
  readonly truth: ByteImage;
}

/** What a network makes of an image. */
interface Seen {
  readonly mask: ByteImage;
  readonly dice: number | null;
}

/**
 * A grid for each data set: some images, their masks, and what one run of each network finds in them at their own size. `named`
 * are the images' names; left out, they are chosen by the scores. UsageError for a name that no data set has; what cannot be
 * read or predicted is told and left out.
 */
export async function pictureGrids(
  device: Device,
  input: GridInput,
  named?: readonly string[],
): Promise<PictureGrid[]> {
  const grids: PictureGrid[] = [];
  const missing = new Set(named);
  for (const set of setsOf(input)) {
    const runs = [...evaluatedRuns(input, set).values()].flatMap((own) => middleOf(own) ?? []);
    const [first] = runs;
    if (first === undefined) continue;
    const images = await gridImages(set, input, named);
    for (const { sample } of images) missing.delete(sample.stem);
    if (images.length > 0)
      grids.push(await grid(device, { set, runs, images, split: first.evaluation.split, note: input.note }));
  }
  if (missing.size === 0) return grids;
  throw new UsageError(`--images ${[...missing].join(",")}: no scored data set has an image of this name`);
}

/** The run of middle foreground Dice: of an even number the better one of the two. */
function middleOf(runs: readonly EvaluatedRun[]): EvaluatedRun | undefined {
  const score = ({ evaluation }: EvaluatedRun) => evaluation.strata["all"]?.foregroundDice ?? -1;
  return runs.toSorted((a, b) => score(a) - score(b))[Math.floor(runs.length / 2)];
}

/** The images of a data set's grid; none where its folder is gone. */
async function gridImages(set: string, input: GridInput, named: readonly string[] | undefined): Promise<GridImage[]> {
  const samples = await samplesOf(input.sets.folderOf(set), input.note);
  const scores = imageScores([...evaluatedRuns(input, set).values()].flat());
  const of = new Map(scores.map(({ image, dice }) => [input.images[image]?.name ?? "", { image, dice }]));
  const chosen =
    named === undefined
      ? chooseImages(
          [...of].map(([name, { image, dice }]) => {
            const share = input.images[image]?.share ?? 0;
            return { name, foregroundDice: dice, imageDice: dice, sharePixels: share };
          }),
          CHOSEN,
        )
      : named.map((name) => ({ name, reason: "named" as const }));
  const found: GridImage[] = [];
  for (const { name, reason } of chosen) {
    const sample = samples.get(name);
    if (sample === undefined) continue;
    const share = input.images[of.get(name)?.image ?? -1]?.share ?? 0;
    await told(input.note, async () => found.push({ sample, reason, share, truth: await readMask(sample.mask) }));
  }
  return found;
}

interface GridWork {
  readonly set: string;
  readonly split: string;
  /** One of each network. */
  readonly runs: readonly EvaluatedRun[];
  readonly images: readonly GridImage[];
  readonly note: (sentence: string) => void;
}

async function grid(device: Device, { set, split, runs, images, note }: GridWork): Promise<PictureGrid> {
  const shown = runs.slice(0, MOST_NETWORKS);
  if (shown.length < runs.length) note(`${set}: pictures are of the first ${shown.length} of ${runs.length} networks`);
  const columns: { readonly run: EvaluatedRun; readonly seen: readonly Seen[] }[] = [];
  let colours: readonly (readonly [number, number, number])[] = [];
  for (const run of shown) {
    await told(note, async () => {
      const found = await predicted(device, run.folder, images);
      columns.push({ run, seen: found.seen });
      colours = found.colours;
    });
  }
  const rows: GridRow[] = [];
  for (const [i, image] of images.entries()) {
    await told(note, async () => {
      const seen = columns.flatMap((column) => column.seen[i] ?? []);
      rows.push(await gridRow(image, seen, colours));
    });
  }
  return { set, split, networks: columns.map(({ run: { group, name } }) => ({ group, run: name })), rows };
}

/** What a run finds in some images. */
async function predicted(device: Device, folder: string, images: readonly GridImage[]) {
  const { network, checkpoint } = await loadNetwork(device, checkpointPath(folder));
  const predictor = new Predictor(network, checkpoint);
  const { classes, colours, window } = checkpoint.facts;
  try {
    const seen: Seen[] = [];
    for (const { sample, truth } of images) {
      const picture = await readImageSource(sample, { trained: window, dataset: sample.window });
      const mask = await predictor.mask(picture);
      const { width, height } = mask;
      const scored = new Evaluation({ classes: classes.length }).add(mask.data, truth.data, {
        name: sample.stem,
        height,
        width,
      });
      seen.push({ mask, dice: scored === undefined ? null : rounded(diceOf(scored)) });
    }
    return { seen, colours };
  } finally {
    predictor.destroy();
    network.destroy();
  }
}

async function gridRow(
  { sample, reason, share, truth }: GridImage,
  seen: readonly Seen[],
  colours: readonly (readonly [number, number, number])[],
): Promise<GridRow> {
  const image = shownInColour(drawn(await readImageSource(sample, { dataset: sample.window })));
  const square = worstSquare(
    truth,
    seen.map(({ mask }) => mask),
  );
  const networks = [];
  for (const { mask, dice } of seen) {
    networks.push({ ...(await zoomedPicture(judgedOverlay(image, mask, truth), square)), dice });
  }
  return {
    ...{ name: sample.stem, reason, share },
    image: await zoomedPicture(image, square),
    truth: await zoomedPicture(overlay(image, truth, colours), square),
    networks,
  };
}

/** Does some work; what goes wrong in the data is told instead. */
async function told(note: (sentence: string) => void, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SvanetError)) throw error;
    note(error.message.split("\n")[0] ?? "");
  }
}

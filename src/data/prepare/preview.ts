import { resolve } from "node:path";
import type { Rgb } from "../codec/png-read.ts";
import { defaultColours } from "../dataset/check-dataset.ts";
import type { SplitName } from "../dataset/dataset.ts";
import { decodePicture, readBytes } from "../decode.ts";
import { type ByteImage, drawn } from "../image/image.ts";
import { defaultWorkers } from "../thread-pool.ts";
import { classTable, type NamedCount } from "./class-table.ts";
import type { Entry } from "./journal.ts";
import { keyOf } from "./journal.ts";
import type { PreparationPlan, Task } from "./plan.ts";
import { countImages, type PrepareOptions, planOf } from "./prepare.ts";
import { failureOf, runAll } from "./run-all.ts";
import { runInto } from "./run-task.ts";
import type { Made, Receiver } from "./sink.ts";

/** Pictures that are shown. */
const SHOWN = 3;

/** A picture as it would be written. */
export interface PreviewPicture {
  readonly split: SplitName;
  /** File name of the image. */
  readonly imageName: string;
  readonly image: ByteImage;
  readonly mask: ByteImage;
}

export interface Preview {
  readonly plan: PreparationPlan;
  readonly classes: readonly NamedCount[];
  readonly pictures: readonly PreviewPicture[];
  /** One a class. */
  readonly colours: readonly Rgb[];
  /** Images by split. */
  readonly images: Readonly<Partial<Record<SplitName, number>>>;
}

const foreground = ({ data }: ByteImage) => data.reduce((sum, label) => sum + Number(label !== 0), 0);

/** Keeps the picture with the largest part of objects. */
class Keeper implements Receiver {
  readonly notes: string[] = [];
  best: Made | undefined;

  isDone(): Promise<boolean> {
    return Promise.resolve(false);
  }

  put(made: Made): Promise<void> {
    if (this.best === undefined || foreground(made.mask) > foreground(this.best.mask)) this.best = made;
    return Promise.resolve();
  }
}

/** The tasks to show: the first, the middle one and the last of those with objects. */
function shownTasks(tasks: readonly Task[], entries: ReadonlyMap<string, Entry>): readonly Task[] {
  const hasObjects = (task: Task) => entries.get(keyOf(task))?.classes.some(({ label }) => label !== 0) === true;
  const some = tasks.filter(hasObjects);
  const from = some.length > 0 ? some : tasks;
  const places = Array.from({ length: SHOWN }, (_, at) => Math.round((at * (from.length - 1)) / (SHOWN - 1)));
  return [...new Set(places)].flatMap((at) => from[at] ?? []);
}

async function pictureOf(task: Task): Promise<readonly PreviewPicture[]> {
  const keeper = new Keeper();
  await runInto(task, keeper);
  if (keeper.best === undefined) return [];
  const { split, imageName, content, mask } = keeper.best;
  const window = "window" in task ? task.window : undefined;
  const seen = async (bytes: Buffer, name: string) =>
    drawn((await decodePicture(bytes, name, { asked: window })).picture);
  let image: ByteImage;
  if (typeof content === "string") image = await seen(await readBytes(content), content);
  else image = content instanceof Uint8Array ? await seen(content, imageName) : content;
  return [{ split, imageName, image, mask }];
}

/**
 * What a preparation would write: its classes, counted in all masks, and three of its pictures. Writes nothing. Throws as
 * {@link prepare}.
 */
export async function preview(options: PrepareOptions): Promise<Preview> {
  const { set, settings } = options;
  const from = resolve(options.from);
  const workers = options.workers ?? defaultWorkers();
  const plan = await planOf({ set, from, settings, workers });
  options.onPlan?.(plan);
  options.onStart?.(plan.tasks.length, 0);
  const entries = new Map<string, Entry>();
  const failures = await runAll({
    ...{ tasks: plan.tasks, destination: { folder: undefined, palette: undefined }, workers },
    onDone: async (entry) => {
      entries.set(entry.key, entry);
      options.onProgress?.(entries.size);
    },
  });
  if (failures.length > 0) throw failureOf(failures, plan.tasks.length, undefined);
  const classes = classTable(plan, [...entries.values()]);
  const pictures = (await Promise.all(shownTasks(plan.tasks, entries).map(pictureOf))).flat();
  const highest = Math.max(1, ...classes.map(({ label }) => label).filter((label) => label < 255));
  return {
    plan,
    classes,
    pictures,
    colours: plan.colours ?? defaultColours(highest + 1),
    images: countImages(entries.values()),
  };
}

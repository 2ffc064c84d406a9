import { basename, relative, resolve } from "node:path";
import { SvanetError } from "../../errors.ts";
import type { Device } from "../../kernels/device/device.ts";
import { packageInfo } from "../../package-info.ts";
import { runPaths } from "../run/run-folder.ts";
import { pointsPerRun } from "./curves.ts";
import { REPORT_VERSION, type ReportData, type ReportRun, type RunEvaluation, type RunRoc } from "./data.ts";
import { readFeatures } from "./features.ts";
import { type FoundFolders, findRuns } from "./find-runs.ts";
import { pictureGrids } from "./grids.ts";
import { ImageList, SetNames } from "./images.ts";
import { readEvaluations, readRoc, type StoredEvaluation } from "./read-evaluation.ts";
import { readRun, type StoredRun, shellLine } from "./read-run.ts";
import { readTables } from "./read-tables.ts";
import { compareSettings, groupNames } from "./settings.ts";

/** What of a report is made; the rest is read. */
export interface ReportOptions {
  /** The heading; left out, the folders' names. */
  readonly title?: string;
  /** Whether images are read for small pictures of them. */
  readonly thumbnails?: boolean;
  /** What segments images for the grids; left out, there are none. */
  readonly device?: Device;
  /** Names of images for the grids; left out, they are chosen by rule. */
  readonly images?: readonly string[];
}

/**
 * Collects what a report shows of some folders: runs, evaluations, or what `ablate`, `compare` and `cv` have left. Nothing is
 * written. Runs that still train are read as far as they are. UsageError for a folder that holds no run, DataError for a damaged
 * file; images that cannot be read are told in `notes`.
 */
export async function collectReport(folders: readonly string[], options: ReportOptions = {}): Promise<ReportData> {
  const { runs: found, places } = findRuns(folders);
  const notes: string[] = [];
  const note = (sentence: string) => void notes.push(sentence);
  const collected = await readRuns(found, note);
  const stored = places.flatMap(readTables);
  const rowOf = new Map(stored.flatMap(({ rows }) => rows.flatMap(({ name, runs }) => runs.map((run) => [run, name]))));
  const groups = groupNames(
    collected.map(({ folder, run }) => ({ name: basename(folder), config: run.config })),
    rowOf,
  );
  const evaluated = collected.flatMap(({ evaluation, roc }) => [evaluation, roc].flatMap((one) => one?.data ?? []));
  const sets = new SetNames(evaluated);
  const images = new ImageList();
  const runs = collected.map((one, i) => reportedRun(one, groups[i] ?? one.name, { sets, images }));
  if (options.thumbnails) await images.addThumbnails(sets, note);
  const { device, images: named } = options;
  const shown = { runs, images: images.all, sets, note };
  return {
    version: REPORT_VERSION,
    title: options.title ?? folders.map((folder) => basename(resolve(folder))).join(", "),
    made: new Date().toISOString(),
    program: `svanet ${packageInfo().version}`,
    runs,
    settings: compareSettings(collected.map(({ run }) => run.config)),
    tables: stored.flatMap(({ tables }) => tables),
    images: images.all,
    grids: device === undefined ? [] : await pictureGrids(device, shown, named),
    features: await readFeatures(places),
    notes,
  };
}

/** A run with everything that was read of it. */
interface Collected {
  readonly folder: string;
  readonly name: string;
  readonly run: StoredRun;
  readonly evaluation: StoredEvaluation | undefined;
  readonly roc: ReturnType<typeof readRoc>;
}

/** Reads all runs; one that is damaged is told, unless it is the only one. */
async function readRuns(found: FoundFolders["runs"], note: (sentence: string) => void): Promise<Collected[]> {
  const points = pointsPerRun(found.size);
  const read: (Omit<Collected, "evaluation"> & { readonly evaluations: readonly StoredEvaluation[] })[] = [];
  for (const [folder, { evaluation }] of found) {
    try {
      const run = readRun(folder, points);
      const evaluations = await readEvaluations(folder, run.config.data, evaluation);
      const roc = readRoc(evaluation ?? runPaths(folder).eval);
      read.push({ folder, name: uniqueName(folder, found.keys()), run, evaluations, roc });
    } catch (error) {
      if (!(error instanceof SvanetError) || found.size === 1) throw error;
      note(`${folder} is left out: ${error.message.split("\n")[0]}`);
    }
  }
  const shared = sharedKinds(read.map(({ evaluations }) => evaluations));
  return read.map(({ evaluations, ...rest }) => ({
    ...rest,
    evaluation: evaluations.toSorted((a, b) => (shared.get(kindOf(b)) ?? 0) - (shared.get(kindOf(a)) ?? 0))[0],
  }));
}

/** The folder's name, with those above it where another has the same. */
function uniqueName(folder: string, all: Iterable<string>): string {
  const same = [...all].filter((other) => basename(other) === basename(folder));
  return same.length > 1 ? folder : basename(folder);
}

/** Evaluations of one kind can be compared. */
const kindOf = ({ data, split, scoredAt }: StoredEvaluation): string => JSON.stringify([data, split, scoredAt]);

/** How many runs have an evaluation of each kind. */
function sharedKinds(runs: readonly (readonly StoredEvaluation[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of runs.flatMap((evaluations) => [...new Set(evaluations.map(kindOf))])) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

interface Shared {
  readonly sets: SetNames;
  readonly images: ImageList;
}

function reportedRun({ folder, name, run, evaluation, roc }: Collected, group: string, shared: Shared): ReportRun {
  const { config, ...told } = run;
  const place = relative(process.cwd(), folder) || folder;
  const repeat = shellLine(["svanet", "train", "--config", runPaths(place).config, "--out", `${place}-again`]);
  return {
    ...{ name, folder: place, group, seed: config.seed, repeat },
    ...told,
    evaluation: evaluation === undefined ? null : reportedEvaluation(evaluation, shared),
    roc: roc === null ? null : reportedRoc(roc, shared.sets),
  };
}

function reportedEvaluation({ data, images, ...rest }: StoredEvaluation, shared: Shared): RunEvaluation {
  const set = shared.sets.nameOf(data);
  return {
    ...rest,
    set,
    images: images.map(({ name, share }) => shared.images.indexOf({ set, split: rest.split, name, share })),
    dice: images.map(({ dice }) => dice),
  };
}

function reportedRoc({ data, ...rest }: NonNullable<Collected["roc"]>, sets: SetNames): RunRoc {
  return { ...rest, set: sets.nameOf(data) };
}

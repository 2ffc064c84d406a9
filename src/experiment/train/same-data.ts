import { relative, sep } from "node:path";
import type { ChannelPlan } from "../../data/channels.ts";
import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { DataError } from "../../errors.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { changedFiles, type DataIndex, readDataRecord } from "../run/data-index.ts";
import { runPaths } from "../run/run-folder.ts";
import type { TrainConfig } from "../settings/config.ts";

/** Differences that a message names. */
const MOST_LISTED = 5;

/** What of a data set decides what a run computes: files, classes, and what pixels are shown through and normalised by. */
type UsedData = Pick<CheckedDataset, "classes" | "folder" | "hashes" | "splits" | "window"> &
  Partial<Pick<CheckedDataset, "channels">>;

/** The images, masks and, for borders, objects that training reads, by name in the dataset's folder. */
export function usedFiles({ folder, hashes, splits }: UsedData): DataIndex {
  const files = [...(splits.train ?? []), ...(splits.val ?? [])].flatMap(({ image, mask, instances }) =>
    instances === undefined ? [image, mask] : [image, mask, instances],
  );
  const names = files.map((file) => relative(folder, file).split(sep).join("/"));
  return new Map(names.map((name) => [name, hashes.get(name) ?? ""]));
}

/**
 * Compares the data a run goes on with with those it was started with. Throws DataError naming what differs, unless the
 * configuration accepts it. Returns what is then to be said.
 */
export function checkSameData(
  config: TrainConfig,
  facts: CheckpointFacts,
  dataset: UsedData,
  statistics: PixelStatistics,
): readonly string[] {
  const { data: path } = runPaths(config.out);
  const before = readDataRecord(path);
  const known = typeof before === "object" ? before : undefined;
  const files = known ? changedFiles(known.files, usedFiles(dataset)) : [];
  const torn = before === "damaged" ? [`${path}, which lists its files, is damaged`] : [];
  const differences = [...files, ...torn, ...otherFacts({ ...facts, ...known }, dataset, statistics)];
  if (differences.length > 0) {
    const listed = differences.slice(0, MOST_LISTED).join("; ");
    const more = differences.length > MOST_LISTED ? `; and ${differences.length - MOST_LISTED} more` : "";
    const what = `${config.data} is not the data set the run in ${config.out} was started with (${listed}${more})`;
    if (config.acceptChangedData) {
      return [`${what}: accepted; images stay normalised as before`];
    }
    throw new DataError(
      `${what}; restore it or give the same --data, choose another --out, or go on with --accept-changed-data`,
    );
  }
  const begun = `${path}: the run had no list of its files yet; from now on changes are noticed`;
  return before === undefined ? [begun] : [];
}

function otherFacts(
  { classes, mean, std, window, channels }: CheckpointFacts,
  dataset: UsedData,
  statistics: PixelStatistics,
): string[] {
  const shown = (one: UsedData["window"]) => (one ? `${one.low} to ${one.high}` : "none");
  return [
    // The network may have more classes than the data set names.
    ...(dataset.classes.some((name, label) => name !== classes[label])
      ? [`classes ${classes.join(", ")}, now ${dataset.classes.join(", ")}`]
      : []),
    ...([...mean, ...std].join() === [...statistics.mean, ...statistics.std].join()
      ? []
      : ["the mean or deviation of the training pixels"]),
    ...(planText(channels) === planText(dataset.channels)
      ? []
      : [`channels ${planText(channels)}, now ${planText(dataset.channels)}`]),
    ...(shown(window) === shown(dataset.window) ? [] : [`window ${shown(window)}, now ${shown(dataset.window)}`]),
  ];
}

/** Channels with the windows of their own, as text. */
function planText(plan: ChannelPlan | undefined): string {
  if (plan === undefined) return "red, green, blue";
  const each = plan.names.map((name, channel) => {
    const window = plan.windows?.[channel];
    return typeof window === "object" ? `${name} (${window.low} to ${window.high})` : name;
  });
  return each.join(", ");
}

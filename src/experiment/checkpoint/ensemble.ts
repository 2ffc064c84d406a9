import { existsSync, statSync } from "node:fs";
import { channelsText } from "../../data/channels.ts";
import { UsageError } from "../../errors.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { runPaths } from "../run/run-folder.ts";

/** A checkpoint's file and what it says of itself. */
export interface NamedFacts {
  readonly path: string;
  readonly facts: CheckpointFacts;
}

/** Whether a path is a checkpoint or a run with one, and no image. */
function isCheckpointPath(path: string): boolean {
  if (!existsSync(path)) return path.endsWith(".safetensors");
  if (!statSync(path).isDirectory()) return path.endsWith(".safetensors");
  const { best, last, config } = runPaths(path);
  return [best, last, config].some((file) => existsSync(file));
}

/** How many of `paths` from the first on are checkpoints or run folders. */
export function leadingCheckpoints(paths: readonly string[]): number {
  const first = paths.findIndex((path) => !isCheckpointPath(path));
  return first < 0 ? paths.length : first;
}

/** What checkpoints must share so that their probabilities can be averaged, in words. */
const SHARED: Readonly<Record<string, (facts: CheckpointFacts) => string>> = {
  classes: ({ classes }) => classes.join(", "),
  "size of the network's input": ({ config }) => `${config.width}x${config.height}`,
  "resolution that it sees": ({ resolution }) =>
    resolution === "native" ? "patches of the image's own" : "the whole image, stretched",
  "class of borders": ({ borders }) => (borders === undefined ? "none" : "the last output"),
  channels: ({ channels }) => (channels === undefined ? "red, green, blue" : channelsText(channels.names)),
  "windows of channels": ({ channels }) => JSON.stringify(channels?.windows ?? []),
  window: ({ window }) => (window === undefined ? "none" : `${window.low} to ${window.high}`),
};

/**
 * Throws UsageError where checkpoints cannot be averaged, naming both files, what differs and how. Means and deviations of
 * pixels may differ: each network sees the image by its own.
 */
export function requireAlike([first, ...others]: readonly NamedFacts[]): void {
  if (first === undefined) return;
  for (const { path, facts } of others) {
    for (const [what, text] of Object.entries(SHARED)) {
      const [one, two] = [text(first.facts), text(facts)];
      if (one === two) continue;
      throw new UsageError(
        `${first.path} and ${path} cannot be averaged: ${what}: ${one} and ${two}; give checkpoints that agree in it, or ` +
          "predict with each alone",
      );
    }
  }
}

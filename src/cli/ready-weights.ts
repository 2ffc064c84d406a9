import { existsSync } from "node:fs";
import { UsageError } from "../errors.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { SVANET_PRESETS } from "../model/svanet/config.ts";
import { fetchPublished } from "../weights/published/fetch-weights.ts";
import { findPublished, requireKnownWeights, weightsPlaces } from "../weights/published/find-weights.ts";
import { isPublishedName, type PublishedFile, publishedFile } from "../weights/published/published-files.ts";
import { note } from "./print.ts";
import { createProgress, type Progress } from "./progress.ts";

const MEBI = 2 ** 20;

/**
 * Sees to it, before anything else is opened, that the file of `--weights` is there: one of a published name is fetched where
 * no place has it. Throws UsageError for a name nobody knows or a path without a file, CheckpointError where it cannot be got.
 */
export async function readyWeights({ weights, weightsDir, preset, encoder }: TrainConfig): Promise<void> {
  if (weights === null || existsSync(weights)) return;
  if (weights === "imagenet") {
    const name = encoder ?? SVANET_PRESETS[preset].encoder;
    throw new UsageError(
      `--weights imagenet: say which network's: imagenet:${name.startsWith("resnet") ? name : "resnet50"}; ` +
        "svanet weights list shows all",
    );
  }
  requireKnownWeights(weights);
  if (isPublishedName(weights)) await foundOrFetched(publishedFile(weights), weightsDir);
}

/** The path of a published file, fetched into the folder where no place has it; says from where, with progress. */
export async function foundOrFetched(file: PublishedFile, weightsDir: string | null): Promise<string> {
  const places = weightsPlaces(weightsDir);
  const found = await findPublished(file, places);
  if (found !== undefined) return found;
  if (!process.env["SVANET_OFFLINE"]) note(`${file.name}: fetching ${file.url} into ${places.folder}`);
  let progress: Progress | undefined;
  try {
    return await fetchPublished(file, places.folder, {
      onProgress(done, total = done) {
        progress ??= createProgress({ label: `${file.file}, MiB`, total: Math.ceil(total / MEBI) });
        progress.update(Math.ceil(done / MEBI));
      },
    });
  } finally {
    progress?.stop();
  }
}

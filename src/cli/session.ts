import { requireSameChannels } from "../data/channels.ts";
import { type CheckedDataset, type CheckOptions, checkDataset } from "../data/dataset/check-dataset.ts";
import { openDataset, type SplitName } from "../data/dataset/dataset.ts";
import type { CheckpointFacts } from "../inference/checkpoint/facts.ts";
import type { Device } from "../kernels/device/device.ts";
import { openDevice } from "../platform/node/open-device.ts";
import type { Precision } from "../training/passes.ts";
import { note } from "./print.ts";
import { createProgress } from "./progress.ts";
import { windowless } from "./window-flag.ts";

/**
 * Opens the GPU for a command and closes it behind the work, whatever happens. Says which adapter it is. Throws DeviceError
 * where that cannot store what `precision` asks for.
 */
export async function withDevice<R>(
  adapter: string | null,
  precision: Precision,
  work: (device: Device) => Promise<R>,
): Promise<R> {
  const device = await openDevice({ adapter: adapter ?? undefined, onNotice: note });
  note(`adapter: ${device.report.name} (${device.report.driver})${device.report.software ? ", software" : ""}`);
  try {
    if (precision === "f16") device.requireHalf();
    return await work(device);
  } finally {
    device.close();
  }
}

interface OpenOptions extends Pick<CheckOptions, "classes" | "believed" | "window" | "trained" | "leaveOut"> {
  /** A network that is to see the images: its channels must be theirs. */
  readonly network?: Pick<CheckpointFacts, "channels">;
}

/**
 * Opens a dataset folder and checks every file of the splits, with a progress bar. Says what was found. `classes` must
 * hold; so many classes as `believed` are taken from the masks without doubt. Pictures of more than 8 bits are seen through
 * `window`, else as a network was `trained`, else as dataset.yaml says.
 */
export async function openChecked(
  folder: string,
  splits: readonly SplitName[],
  { classes, believed, window, trained, leaveOut = false, network }: OpenOptions = {},
): Promise<CheckedDataset> {
  const dataset = await openDataset(folder);
  if (network !== undefined) requireSameChannels(folder, dataset.yaml.channels, network.channels);
  const total = splits.reduce((sum, split) => sum + (dataset.splits[split]?.length ?? 0), 0);
  const progress = createProgress({ label: "checking files", total });
  try {
    const checked = await checkDataset(dataset, splits, {
      ...(classes ? { classes } : {}),
      believed,
      window,
      trained,
      trainedChannels: network?.channels,
      leaveOut,
      onProgress: (done) => progress.update(done),
    });
    progress.stop();
    if (checked.shown !== undefined) note(checked.shown);
    else if (window !== undefined) throw windowless(folder);
    for (const warning of checked.warnings) note(`warning: ${warning}`);
    if (checked.classSource === "masks") {
      note(
        `${folder} has no dataset.yaml with classes: counted from the masks, ${checked.classes.length} with background`,
      );
    }
    return checked;
  } finally {
    progress.stop();
  }
}

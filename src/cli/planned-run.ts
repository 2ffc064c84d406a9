import type { CheckedDataset } from "../data/dataset/check-dataset.ts";
import { PAPER_SETS } from "../data/prepare/set-names.ts";
import { planFlags } from "../experiment/plan/plan.ts";
import { planForData, planMemory } from "../experiment/plan/plan-data.ts";
import { planYaml, reasonText } from "../experiment/plan/plan-file.ts";
import { flagOf, type TrainConfig, type TrainFlags } from "../experiment/settings/config.ts";
import type { Device } from "../kernels/device/device.ts";
import { givenFields } from "./options.ts";
import { valueText } from "./plan-lines.ts";
import { note } from "./print.ts";

/** A configuration for a data set, and the text of the plan that it came from, where one was made. */
export interface PlannedRun {
  readonly config: TrainConfig;
  readonly plan?: string;
}

/** The parsed options of `svanet train`. */
type Options = Readonly<Record<string, unknown>>;

/** The flags of `--recipe auto` for a data set, each said with its reason, and the text of their plan. Throws as `planForData` does. */
export async function planRun(
  options: Options,
  config: TrainConfig,
  { dataset, device }: { readonly dataset: CheckedDataset; readonly device: Device },
): Promise<{ readonly flags: TrainFlags; readonly plan: string }> {
  const { memory } = options;
  const plan = await planForData(dataset, {
    config,
    given: givenFields(options),
    memory: planMemory(typeof memory === "number" ? memory : undefined, device.room),
    shared: device.room.shared,
  });
  for (const choice of plan.choices) {
    note(`planned: ${flagOf(choice.setting)} ${valueText(choice.value)}: ${reasonText(choice)}`);
  }
  for (const line of plan.notes) note(`note: ${line}`);
  return { flags: planFlags(plan), plan: planYaml(plan, config.data) };
}

/** Flags and files by which someone has chosen how images are shown. */
const CHOOSES = ["config", "recipe", "size", "patches", "resume"] as const;

/** What is said once where nobody has chosen how one's own images, none of the paper's sets, are shown; undefined else. */
export function planAdvice(
  options: Options,
  { source, folder }: Pick<CheckedDataset, "source" | "folder">,
): string | undefined {
  const isChosen = CHOOSES.some((name) => options[name] !== undefined);
  if (isChosen || (PAPER_SETS as readonly unknown[]).includes(source)) return undefined;
  return `to plan training for these images instead, small objects first: --recipe auto (svanet plan ${folder} shows it)`;
}

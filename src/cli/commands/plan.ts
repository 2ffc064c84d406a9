import { existsSync } from "node:fs";
import type { Command } from "commander";
import { DeviceError, UsageError } from "../../errors.ts";
import type { TrainConfig, TrainField } from "../../experiment/settings/config.ts";
import type { Room } from "../../training/fit.ts";
import { MEMORY_HELP, memoryArgument } from "../arguments.ts";
import { addTrainOptions, givenFields, trainConfigFrom } from "../options.ts";
import { note, printJson, printLine, printTable } from "../print.ts";
import { createProgress } from "../progress.ts";

/** The settings that a plan takes as they are given: those that decide what fits and what is left to choose. */
const FIELDS: readonly TrainField[] = [
  "model",
  "preset",
  "encoder",
  "width",
  "classes",
  "weights",
  "window",
  "size",
  "patches",
  "batchSize",
  "accumulate",
  "amp",
  "checkpointActivations",
  "epochs",
  "steps",
  "loss",
  "workers",
  "adapter",
];

interface PlanCommandFlags extends Readonly<Record<string, unknown>> {
  readonly memory?: number;
  readonly out?: string;
  readonly json?: true;
}

/** `svanet plan`: what a data set is like, and the training settings that follow from it, each with its reason. */
export function register(command: Command): void {
  command.argument("<data>", "dataset folder: images in train/ and val/, the mask of each in mask/");
  addTrainOptions(command, FIELDS, Object.fromEntries(FIELDS.map((field) => [field, "planned, or train's"])))
    .option("--memory <size>", MEMORY_HELP, memoryArgument)
    .option("--out <file>", "write the plan as YAML, for svanet train --config; an existing file is kept")
    .option("--json", "print the plan as JSON")
    .action(plan);
}

async function plan(folder: string, flags: PlanCommandFlags): Promise<void> {
  const { networkConfig, windowOf } = await import("../../experiment/settings/recipe.ts");
  const { planForData, planMemory } = await import("../../experiment/plan/plan-data.ts");
  const { planYaml } = await import("../../experiment/plan/plan-file.ts");
  const { requireKnownWeights } = await import("../../weights/published/find-weights.ts");
  const { openChecked } = await import("../session.ts");
  const { requireWritableFile } = await import("../../files/folder.ts");
  const { writeFileAtomic } = await import("../../files/atomic.ts");
  const { trainingSplits } = await import("../../experiment/study/chosen-data.ts");
  const { out } = flags;
  if (out !== undefined) {
    if (existsSync(out))
      throw new UsageError(`--out ${out}: the file is there already, perhaps edited; choose another name`);
    requireWritableFile(out, `--out ${out}`);
  }
  const config = trainConfigFrom({ ...flags, data: folder, out: "-" });
  if (config.weights !== null) requireKnownWeights(config.weights);
  networkConfig(config, config.classes ?? 2); // what does not fit together is said before every file is read
  const room = flags.memory === undefined ? await roomOf(config) : null;
  const dataset = await openChecked(folder, trainingSplits(folder), {
    window: windowOf(config),
    believed: config.classes ?? 0,
  });
  const progress = createProgress({ label: "measuring masks", total: dataset.splits.train?.length ?? 0 });
  try {
    const made = await planForData(dataset, {
      config,
      given: givenFields(flags),
      memory: planMemory(flags.memory, room),
      shared: room?.shared ?? false,
      onProgress: (done) => progress.update(done),
    });
    progress.stop();
    if (out !== undefined) writeFileAtomic(out, planYaml(made, folder));
    if (flags.json) printJson(planDocument(made));
    else await print(made);
    if (out !== undefined)
      note(`written: ${out}; change what you know better, then: svanet train --config ${out} --out RUN`);
    else
      note(`next: svanet train --data ${folder} --out RUN --recipe auto, or --out plan.yaml here to change it first`);
  } finally {
    progress.stop();
  }
}

/** What the adapter and its host offer; null, said why, where none answers, unless one was asked for: a plan needs no GPU. */
async function roomOf({ adapter }: TrainConfig): Promise<Room | null> {
  const { withDevice } = await import("../session.ts");
  try {
    return await withDevice(adapter, "f32", async (device) => device.room);
  } catch (error) {
    if (!(error instanceof DeviceError) || adapter !== null) throw error;
    note(`no GPU: ${error.message.split("\n")[0]}`);
    return null;
  }
}

type Plan = Awaited<ReturnType<typeof import("../../experiment/plan/plan-data.ts")["planForData"]>>;

async function print(made: Plan): Promise<void> {
  const { fingerprintLines } = await import("../../experiment/plan/plan-file.ts");
  const { CHOICE_COLUMNS, viewColumns } = await import("../plan-lines.ts");
  for (const line of fingerprintLines(made)) printLine(line);
  printLine("");
  printTable(viewColumns(made), made.views);
  printLine("");
  printTable(CHOICE_COLUMNS, made.choices);
  for (const line of made.notes) note(`note: ${line}`);
}

/** The plan as JSON: views without what has no number, settings as `--config` reads them. */
function planDocument({ fingerprint, memory, views, chosen, choices, notes }: Plan) {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    fingerprint,
    memory,
    views: views.map(({ smallestTenth, median, bytes, ...view }) => ({
      ...view,
      smallestTenth: finite(smallestTenth),
      median: finite(median),
      bytes: finite(bytes),
    })),
    chosen: views.indexOf(chosen),
    settings: choices,
    notes,
  };
}

import type { Command } from "commander";
import type { Supervision, ZooEntry } from "../../model/zoo.ts";
import type { RunCosts } from "../../training/costs.ts";
import type { Precision } from "../../training/passes.ts";
import { wholeNumber } from "../arguments.ts";
import { addNetworkOptions, everyName, type NetworkFlags, namesFrom, sized } from "../networks.ts";
import { precisionOption } from "../options.ts";
import { type Column, note, printJson, printTable } from "../print.ts";
import { above, giga, mega, memory } from "../units.ts";
import { type RefusedRow, rowOf } from "./bench-networks.ts";

interface ModelsFlags extends NetworkFlags {
  readonly precision: Precision;
  readonly batch?: number;
  readonly json?: true;
}

/** A figure of an inference and of a training step. */
interface Both {
  readonly infer: number;
  readonly train: number;
}

interface ModelRow extends Supervision {
  readonly name: string;
  readonly preset: string;
  readonly parameters: number;
  readonly macs: number;
  readonly profiledMacs: number;
  readonly attentionMacs: number;
  readonly peakBytes: Both;
  /** What no plan could do without. */
  readonly leastBytes: Both;
  /** On a GPU. */
  readonly dispatches: Both;
  readonly batch: Both;
  /** What bytes and dispatches are told for. */
  readonly precision: Precision;
  readonly paper: { readonly parametersM: number; readonly macsG: number } | null;
  /** Why the paper's figures differ from ours; null where they do not. */
  readonly difference: string | null;
}

/** Pixels of a batch below which every network fits some GPU: no time is spent on asking. */
const MOST_PIXELS = 2 ** 24;

/** `svanet models`: what each network costs. Needs no GPU. */
export function register(command: Command): void {
  addNetworkOptions(command)
    .option(
      "--batch-size, --batch <n>",
      "images that are on the GPU together (default: 1 in inference, 4 in training)",
      wholeNumber(1),
    )
    .addOption(precisionOption())
    .option("--json", "print the list as JSON")
    .action(models);
}

async function models(flags: ModelsFlags): Promise<void> {
  const { describe, supervision } = await import("../../model/zoo.ts");
  const { inferenceCosts, trainingCosts, MOST_BYTES } = await import("../../training/costs.ts");
  const { requireFit } = await import("../../training/fit.ts");
  const anyGpu = { gpu: MOST_BYTES, host: null, shared: false };
  const { paperCost } = await import("../../experiment/study/paper.ts");
  const { precision } = flags;
  const batch = { infer: flags.batch ?? 1, train: flags.batch ?? 4 };
  const names = namesFrom(flags, everyName());
  const rowFor = ({ name: preset, config, ...rest }: ZooEntry): ModelRow => {
    const difference = rest.difference ?? null;
    for (const [kind, size] of [
      ["inference", batch.infer],
      ["training", batch.train],
    ] as const) {
      if (config.height * config.width * size > MOST_PIXELS)
        requireFit(config, { kind, batch: size, precision }, anyGpu);
    }
    const { name, parameters, macs, profiledMacs, attentionMacs } = describe(preset, config);
    const infer = inferenceCosts(config, batch.infer, precision);
    const train = trainingCosts(config, batch.train, undefined, precision);
    const both = (figure: keyof RunCosts): Both => ({ infer: infer[figure], train: train[figure] });
    const paper = paperCost(name) ?? null;
    const costs = { parameters, macs, profiledMacs, attentionMacs };
    const runs = { peakBytes: both("bytes"), leastBytes: both("leastBytes"), dispatches: both("dispatches") };
    return { name, preset, ...costs, ...runs, batch, precision, paper, difference, ...supervision(config) };
  };
  const all: (ModelRow | RefusedRow)[] = [];
  for (const name of names) all.push(await rowOf(name, names.length === 1, () => rowFor(sized(name, flags))));
  if (flags.json) {
    printJson(all);
    return;
  }
  const rows = all.filter((row): row is ModelRow => !("refusal" in row));
  printTable(columns(batch), rows);
  const { size, classes } = flags;
  note(`at ${size}x${size} with ${classes} classes. MACs: multiply-accumulates of convolutions and linear layers;`);
  note("attention: those between activations; profiled: by the counter behind the paper's figures.");
  note("memory of a run on a GPU, and by how much it is above what must be there at once at its worst dispatch.");
  for (const { preset, difference } of rows) if (difference !== null) note(`${preset}: ${difference}`);
  note("outputs and their weights in training, and the loss of --loss published, where it is not cross-entropy:");
  for (const row of rows) if (row.outputs.length > 1 || row.publishedLoss !== "cross-entropy") note(losses(row));
}

/** `pspnet: head 1, aux 0.4`, with the published loss where that is another than everyone's. */
function losses({ preset, outputs, publishedLoss }: ModelRow): string {
  const weights = outputs.map(({ name, weight }) => `${name} ${Number(weight.toPrecision(3))}`).join(", ");
  return `${preset}: ${weights}${publishedLoss === "cross-entropy" ? "" : `; ${publishedLoss}`}`;
}

/** `8.91 GiB +2 %`. */
function planned({ peakBytes, leastBytes }: ModelRow, kind: keyof Both): string {
  return `${memory(peakBytes[kind])} ${above(peakBytes[kind], leastBytes[kind])}`;
}

function columns(batch: ModelRow["batch"]): Column<ModelRow>[] {
  return [
    { title: "network", cell: ({ name }) => name },
    { title: "preset", cell: ({ preset }) => preset },
    { title: "parameters", align: "right", cell: ({ parameters }) => mega(parameters) },
    { title: "MACs", align: "right", cell: ({ macs }) => giga(macs) },
    { title: "attention", align: "right", cell: ({ attentionMacs }) => giga(attentionMacs) },
    { title: "profiled", align: "right", cell: ({ profiledMacs }) => giga(profiledMacs) },
    { title: "paper", align: "right", cell: ({ paper }) => (paper ? `${paper.parametersM} M, ${paper.macsG} G` : "") },
    { title: `infer ${batch.infer}`, align: "right", cell: (row) => planned(row, "infer") },
    { title: `train ${batch.train}`, align: "right", cell: (row) => planned(row, "train") },
    { title: "dispatches", align: "right", cell: ({ dispatches: { infer, train } }) => `${infer}, ${train}` },
  ];
}

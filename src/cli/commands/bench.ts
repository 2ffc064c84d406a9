import type { Command } from "commander";
import { requireFit } from "../../training/fit.ts";
import type { Precision } from "../../training/passes.ts";
import { wholeNumber } from "../arguments.ts";
import { addNetworkOptions, type NetworkFlags, networksFrom } from "../networks.ts";
import { precisionOption } from "../options.ts";
import { note, printJson, printLine, printTable } from "../print.ts";
import { milliseconds } from "../units.ts";
import { type CommonFlags, headerWithoutWork, named, onDevice } from "./bench-frame.ts";
import { addGrowth } from "./bench-growth.ts";
import { addHost } from "./bench-host.ts";
import { addLoading } from "./bench-loading.ts";
import { addFps, addTrain } from "./bench-networks.ts";
import { KERNEL_COLUMNS, OP_COLUMNS } from "./bench-tables.ts";

interface ProfileFlags extends CommonFlags, NetworkFlags {
  readonly precision: Precision;
  readonly batch: number;
  readonly train?: true;
  readonly rounds: number;
}

interface OpsFlags extends CommonFlags {
  readonly filter?: string;
}

interface StartUpFlags extends CommonFlags {
  readonly here?: true;
}

/** The network that is profiled where none is named. */
const PROFILED = "svanet";

/** `svanet bench`: measured figures, each beside what the adapter can do. */
export function register(command: Command): void {
  addFps(command);
  addTrain(command);
  addNetworkOptions(named(command, "profile", "GPU time of every kernel of one run"), { otherwise: PROFILED })
    .option("--batch-size, --batch <n>", "images a run", wholeNumber(1), 1)
    .option("--train", "a training step instead of inference")
    .addOption(precisionOption())
    .option("--rounds <n>", "runs whose median counts", wholeNumber(1), 3)
    .action(profile);
  named(command, "ops", "single ops, forward and backward, each checked against float64 first")
    .option("--filter <text>", "only ops whose name contains this (default: all)")
    .action(ops);
  named(command, "start-up", "seconds to the end of a first training step with no shader cache, in a fresh process")
    .option("--here", "measure this very process instead, and print JSON")
    .action(startUp);
  addGrowth(command);
  addHost(command);
  addLoading(command);
}

async function profile(flags: ProfileFlags): Promise<void> {
  const { benchProfile } = await import("../../bench/profile.ts");
  await onDevice(flags, async (device, header) => {
    const { batch, rounds, precision } = flags;
    const tables = [];
    for (const { name, config } of networksFrom(flags, [PROFILED])) {
      requireFit(config, { kind: flags.train ? "training" : "inference", batch, precision }, device.room);
      const rows = await benchProfile(device, config, { batch, rounds, precision, train: flags.train === true });
      tables.push({ preset: name, header, rows });
    }
    if (flags.json) {
      printJson(tables);
      return;
    }
    for (const { preset, rows } of tables) {
      const total = rows.reduce((sum, row) => sum + row.milliseconds, 0);
      printLine(`${preset}: ${milliseconds(total)} ms on the GPU`);
      printTable(KERNEL_COLUMNS, rows);
    }
  });
}

async function ops(flags: OpsFlags): Promise<void> {
  const { benchOps } = await import("../../bench/ops.ts");
  await onDevice(flags, async (device, header) => {
    const { ceiling, rows } = await benchOps(device, flags.filter ?? "", ({ op, pass, refusal }) =>
      note(`${refusal === null ? "timed" : "REFUSED"} ${op} ${pass}${refusal === null ? "" : `: ${refusal}`}`),
    );
    if (flags.json) printJson({ header, ceiling, rows });
    else {
      printTable(OP_COLUMNS, rows);
      const { best, scalar, ratio } = ceiling;
      printLine(`ceiling: ${best.gflops.toFixed(1)} GFLOP/s by ${best.variant} at ${best.size}`);
      printLine(
        `scalar register tile: ${scalar.gflops.toFixed(1)} GFLOP/s; the ceiling is ${ratio.toFixed(1)} times that`,
      );
    }
    if (rows.some(({ refusal }) => refusal !== null)) process.exitCode = 1;
  });
}

/** Background and cell. */
const DEMO_CLASSES = 2;

/** The network of `svanet demo`, whose first step a newcomer waits for. */
async function startUp(flags: StartUpFlags): Promise<void> {
  const { startUpAfresh, startUpHere } = await import("../../bench/start-up.ts");
  const { networkConfig } = await import("../../experiment/settings/recipe.ts");
  const { demoConfig } = await import("./demo.ts");
  if (flags.here) {
    const config = demoConfig({ out: "demo", steps: 1 });
    printJson(await startUpHere(flags.adapter, networkConfig(config, DEMO_CLASSES), config.batchSize));
    return;
  }
  const own = ["bench", "start-up", "--here", ...(flags.adapter === undefined ? [] : ["--adapter", flags.adapter])];
  const header = await headerWithoutWork(flags.adapter);
  const result = await startUpAfresh(own);
  if (flags.json) {
    printJson({ ...result, header });
    return;
  }
  const { seconds, openSeconds, compileSeconds, stepSeconds, secondStepSeconds, pipelines, dispatches } = result;
  printLine(`${seconds.toFixed(1)} s from the start of the process to the end of the first training step`);
  printLine(
    `adapter ${openSeconds.toFixed(1)} s, pipelines ${compileSeconds.toFixed(1)} s, first step ${stepSeconds.toFixed(1)} s ` +
      `(second: ${secondStepSeconds.toFixed(2)} s); ${pipelines} pipelines for ${dispatches} dispatches`,
  );
}

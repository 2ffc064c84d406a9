import type { OptimizerOptions } from "../autograd/optimizer.ts";
import type { Device } from "../kernels/device/device.ts";
import { CLOCKS_ARENA, CONTROL } from "../model/keys.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import { ABLATIONS } from "../model/svanet/ablations.ts";
import { camel, configFromOracle, SVANET_PRESETS, type SvanetConfig } from "../model/svanet/config.ts";
import { compileUpdate } from "../training/trainer.ts";
import type { TrainingTrace } from "../training/training-trace.ts";
import type { Checker } from "./check-files.ts";
import type { FixtureFile } from "./fixture.ts";
import { checkEvaluation, checkTraining, type NetworkSession, openSession } from "./network.ts";
import type { FileReport } from "./report.ts";
import { TOLERANCE } from "./tolerance.ts";

/**
 * Checks whole networks through the programs that users run: evaluation with intermediates, a training step with recorded
 * draws, statistics, and an update by recorded gradients.
 */
export function modelChecker(device: Device): Checker {
  return async (file, report) => {
    const config = configFromOracle(file.json("config"));
    checkPreset(file, report, config);
    file.remarks("salt", "note", "torch_float32_relative_deviation");
    const image = file.takeFloat("image");
    const statistics = { before: "stat.", after: "stat_after." };
    const session = await openSession(device, config, { file, report, image, statistics });
    try {
      await report.inCase("eval", () => checkEvaluation(session, "eval.logits", intermediatesOf(file)));
      await report.inCase("train", () => training(session));
      await afterUpdate(session);
    } finally {
      session.network.destroy();
    }
  };
}

const intermediatesOf = (file: FixtureFile): string[] =>
  file.names("eval.").flatMap((name) => (name === "eval.logits" ? [] : [name.slice("eval.".length)]));

/** The preset, ablation and changes of the metadata must give its configuration, as far as we know their names. */
function checkPreset(file: FixtureFile, report: FileReport, config: SvanetConfig): void {
  const preset = Object.entries(SVANET_PRESETS).find(([name]) => name === file.text("preset"))?.[1];
  const ablation = Object.entries(ABLATIONS).find(([name]) => name === file.text("ablation"))?.[1];
  const changes = Object.entries(file.json("changes") as object).map(([key, value]) => [camel(key), value]);
  if (!preset) return;
  const ours: SvanetConfig = { ...preset, ...ablation?.changes, ...Object.fromEntries(changes) };
  for (const [key, value] of Object.entries(config)) {
    const mine = ours[key as keyof SvanetConfig];
    // The golden files have another name for the smallest encoder.
    if (JSON.stringify(mine) === JSON.stringify(value) || key === "encoder") continue;
    report.fail("config", key, `is ${JSON.stringify(mine)} in our preset, expected ${JSON.stringify(value)}`);
  }
}

function training(session: NetworkSession): Promise<void> {
  const { file } = session;
  const ignoreIndex = Number(file.text("ignore_index"));
  return checkTraining(session, {
    loss: { ...DEFAULT_LOSS, ignoreIndex },
    labels: file.takeInt("label").data,
    headNames: () => ["train.logits"],
    lossName: "train.loss",
    draws: (trace) => replayed(session, trace),
  });
}

/** The recorded draws as inputs; a recorded draw that the network does not make is a failure. */
function replayed(
  { file, report, network }: NetworkSession,
  { draws }: TrainingTrace,
): ReadonlyMap<string, Float32Array> {
  const recorded = file.takeAll("draw.");
  const { inputs, consumed } = draws.fromRecorded(recorded, network.regions);
  for (const name of recorded.keys()) {
    if (!consumed.includes(name)) report.fail("draw", `draw.${name}`, "the network makes no such draw");
  }
  return inputs;
}

/**
 * The first AdamW update by the recorded gradients: the ones just computed may differ where the exact gradient is zero.
 * It is the optimizer's own program, on weights and moments put back to what they were before the step.
 */
async function afterUpdate(session: NetworkSession): Promise<void> {
  const { file, report } = session;
  const settings = file.attributes("adamw");
  const [beta1 = 0.9, beta2 = 0.999] = settings.numbers("betas");
  const optimizer = {
    kind: "adamw",
    betas: [beta1, beta2],
    eps: settings.number("eps"),
    weightDecay: settings.number("weight_decay"),
    clipNorm: null,
  } as const;
  const rate = settings.number("lr");
  if (file.names("param_after.").length === 0) return;
  await report.inCase("param_after", () => compareUpdate(session, optimizer, rate));
}

async function compareUpdate(
  { file, report, network }: NetworkSession,
  optimizer: OptimizerOptions,
  rate: number,
): Promise<void> {
  for (const { name } of network.table.list("weight")) {
    const { data } = file.takeFloat(`grad.${name}`);
    network.write(name, file.takeFloat(`param.${name}`).data);
    network.write(name, data, "gradient");
    for (const role of ["first", "second"] as const) network.write(name, new Float32Array(data.length), role);
  }
  for (const arena of [CONTROL.arena, CLOCKS_ARENA]) network.store.clear(arena);
  const { program, trace } = await compileUpdate(network, { optimizer, rates: () => 1 }, "gradient");
  try {
    program.poison();
    trace.feed(program, { rate, factor: 1 });
    program.run();
    for (const [name, data] of await network.read()) {
      const { shape } = network.table.get(name);
      report.compare("param_after", file.takeFloat(`param_after.${name}`), { shape, data }, TOLERANCE.update);
    }
  } finally {
    program.destroy();
  }
}

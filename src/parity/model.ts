import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import type { Value } from "../kernels/trace/op.ts";
import { toChannelsLast } from "../kernels/trace/shape.ts";
import type { Regions } from "../model/draws.ts";
import { trainingLoss } from "../model/losses.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import { ABLATIONS } from "../model/svanet/ablations.ts";
import { camel, configFromOracle, SVANET_PRESETS, type SvanetConfig } from "../model/svanet/config.ts";
import type { Traced } from "../model/zoo.ts";
import type { FixtureFile } from "./fixture.ts";
import { adamWAfter } from "./model-update.ts";
import {
  compareGradients,
  compareMap,
  compareParameter,
  compareStatistics,
  gradientsByKey,
  loadNetwork,
  moveStatistics,
  type NetworkSession,
  traced,
} from "./network.ts";
import type { FileReport } from "./report.ts";
import type { Checker } from "./run.ts";
import { TOLERANCE } from "./tolerance.ts";

/** A session with the region maps that only SvANet has. */
interface Session extends NetworkSession {
  readonly regions: Regions;
}

/** Checks whole networks: evaluation with intermediates, a training pass with recorded draws, statistics, one AdamW step. */
export function modelChecker(device: Device): Checker {
  return async (file, report) => {
    const config = configFromOracle(file.json("config"));
    checkPreset(file, report, config);
    file.remarks("salt", "note", "torch_float32_relative_deviation");
    const image = file.takeFloat("image");
    const store = new StateStore(device);
    try {
      const statistics = { before: "stat.", after: "stat_after." };
      const loaded = await loadNetwork({ device, file, report, config, store, image, statistics });
      const maps = loaded.parameters
        .list("region")
        .map(({ name }) => [name, file.takeInt(`region.${name}`).data] as const);
      const session = { ...loaded, regions: new Map(maps) };
      await report.inCase("eval", () => evaluation(session));
      await report.inCase("train", () => training(session));
      await afterUpdate(session);
    } finally {
      store.destroy();
    }
  };
}

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

async function evaluation(session: Session): Promise<void> {
  const { device, store, image, file } = session;
  const { build, logits, taps } = traced(session, "eval");
  const points: readonly (readonly [string, Value])[] = [["logits", logits], ...taps];
  const outputs = new Map(points.filter(([name]) => file.has(`eval.${name}`)));
  const program = await Program.compile(device, build.graph, { store, keep: [...outputs.values()] });
  try {
    program.poison();
    program.write("image", toChannelsLast(Float32Array.from(image.data), image.shape));
    program.run();
    for (const [name, value] of outputs) {
      await compareMap(session, program, value, `eval.${name}`, TOLERANCE.evaluation);
    }
  } finally {
    program.destroy();
  }
}

async function training(session: Session): Promise<void> {
  const { device, store, image, file, report, config, parameters } = session;
  const { build, logits } = traced(session, "train");
  const { graph } = build;
  const label = graph.input("label", logits.shape.slice(0, 3), "i32");
  const weight = graph.input("class weights", [config.classes]);
  const ignoreIndex = Number(file.text("ignore_index"));
  const loss = trainingLoss(graph, logits, label, weight, { ...DEFAULT_LOSS, ignoreIndex });
  const grads = gradientsByKey(build, loss, parameters);
  moveStatistics(build);
  const keep = [logits, loss, ...grads.values()];
  const program = await Program.compile(device, graph, { store, keep });
  try {
    program.poison();
    program.write("image", toChannelsLast(Float32Array.from(image.data), image.shape));
    program.write("label", file.takeInt("label").data);
    program.write("class weights", new Float32Array(config.classes).fill(1));
    program.write("seed", Float32Array.of(1));
    program.write("control", new Uint32Array(4));
    for (const [name, data] of replayed(session, build)) program.write(name, data);
    program.run();
    await compareMap(session, program, logits, "train.logits", TOLERANCE.training);
    const value = { shape: [1], data: await program.read(loss) };
    report.compare("train", file.takeFloat("train.loss"), value, TOLERANCE.evaluation);
    await report.inCase("grad", () => compareGradients(session, program, grads));
  } finally {
    program.destroy();
  }
  await compareStatistics(session);
}

/** The recorded draws as inputs; a recorded draw that the network does not make is a failure. */
function replayed({ file, report, regions }: Session, build: Traced["build"]): ReadonlyMap<string, Float32Array> {
  const recorded = file.takeAll("draw.");
  const { inputs, consumed } = build.draws.fromRecorded(recorded, regions);
  for (const name of recorded.keys()) {
    if (!consumed.includes(name)) report.fail("draw", `draw.${name}`, "the network makes no such draw");
  }
  return inputs;
}

/** One AdamW step from the recorded gradients: the ones just computed may differ where the exact gradient is zero. */
async function afterUpdate(session: Session): Promise<void> {
  const { device, file, report, store, parameters } = session;
  const settings = file.attributes("adamw");
  const options = {
    rate: settings.number("lr"),
    betas: settings.numbers("betas"),
    eps: settings.number("eps"),
    decay: settings.number("weight_decay"),
  };
  if (file.names("param_after.").length === 0) return;
  await report.inCase("param_after", async () => {
    const arena = { name: "weight", entries: parameters.storage("weight") };
    const gradients = new Map<string, Float32Array>();
    for (const { name } of parameters.list("weight")) {
      for (const [key, data] of parameters.toStorage(name, file.takeFloat(`grad.${name}`).data))
        gradients.set(key, data);
    }
    const after = await adamWAfter(device, store, arena, gradients, options);
    for (const entry of parameters.list("weight"))
      compareParameter(session, entry, "param_after.", after, TOLERANCE.update);
  });
}

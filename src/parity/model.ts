import { differentiate } from "../autograd/differentiate.ts";
import type { Device } from "../kernels/device.ts";
import type { Value } from "../kernels/op.ts";
import { updateRunning } from "../kernels/ops/norm.ts";
import { Program } from "../kernels/program.ts";
import { fromChannelsLast, type Shape, toChannelsLast } from "../kernels/shape.ts";
import { StateStore } from "../kernels/state.ts";
import type { Regions } from "../model/draws.ts";
import { DEFAULT_LOSS, trainingLoss } from "../model/losses.ts";
import type { Parameter, ParameterKind, ParameterTable } from "../model/parameters.ts";
import { ABLATIONS } from "../model/svanet/ablations.ts";
import { camel, configFromOracle, SVANET_PRESETS, type SvanetConfig } from "../model/svanet/config.ts";
import { type Traced, traceNetwork } from "../model/zoo.ts";
import type { FixtureFile, FixtureTensor } from "./fixture.ts";
import { adamWAfter } from "./model-update.ts";
import type { FileReport } from "./report.ts";
import type { Checker } from "./run.ts";
import { gradientTolerance, TOLERANCE, type Tolerance } from "./tolerance.ts";

/** What the passes over one golden file share. */
interface Session {
  readonly device: Device;
  readonly file: FixtureFile;
  readonly report: FileReport;
  readonly config: SvanetConfig;
  readonly parameters: ParameterTable;
  readonly store: StateStore;
  readonly image: FixtureTensor;
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
      const session = await open({ device, file, report, config, store, image });
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

/** Traces once for the names, then loads what the file holds under each. */
async function open(given: Omit<Session, "parameters" | "regions">): Promise<Session> {
  const { file, config, image, store } = given;
  const [batch = 1] = image.shape;
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  for (const kind of ["weight", "statistic"] as const) {
    await store.allocate(kind, parameters.storage(kind));
    for (const { name } of parameters.list(kind)) {
      const { data } = file.takeFloat(`${PREFIX[kind]}${name}`);
      for (const [key, values] of parameters.toStorage(name, data)) store.write(key, values);
    }
  }
  const regions = new Map(parameters.list("region").map(({ name }) => [name, file.takeInt(`region.${name}`).data]));
  return { ...given, parameters, regions };
}

const PREFIX: Readonly<Record<Exclude<ParameterKind, "region">, string>> = { weight: "param.", statistic: "stat." };

function traced({ config, image, parameters }: Session, mode: "train" | "eval"): Traced {
  const [batch = 1, , height = 0, width = 0] = image.shape;
  return traceNetwork(config, { mode, batch, height, width, parameters });
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

/** A golden tensor `[n, c, h, w]` against a kept one `[n, h, w, c]`. */
async function compareMap(session: Session, program: Program, value: Value, name: string, tolerance: Tolerance) {
  const { file, report } = session;
  const [n = 1, h = 1, w = 1, c = 1] = value.shape;
  const shape: Shape = [n, c, h, w];
  const data = fromChannelsLast(await program.read(value), shape);
  report.compare(name.split(".", 1)[0] ?? name, file.takeFloat(name), { shape, data }, tolerance);
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
  const control = graph.input("control", [4], "u32");
  for (const { mean, variance, batch: statistics, momentum, count } of build.statistics) {
    graph.update(updateRunning, { mean, variance, statistics, control }, { momentum, count });
  }
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

function gradientsByKey(build: Traced["build"], loss: Value, parameters: ParameterTable): Map<string, Value> {
  const { graph } = build;
  const weights = parameters.storage("weight").map(({ key, shape }) => [key, graph.state(key, shape)] as const);
  const wanted = weights.map(([, value]) => value);
  const grads = differentiate(graph, loss, graph.input("seed", [1]), wanted);
  return new Map(
    weights.map(([key, value]) => {
      const grad = grads.get(value.id);
      if (!grad) throw new Error(`${key} has no gradient`);
      return [key, grad];
    }),
  );
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

async function compareGradients(session: Session, program: Program, grads: ReadonlyMap<string, Value>): Promise<void> {
  const { file, report, parameters } = session;
  const golden = file.takeAll("grad.");
  let largest = 0;
  for (const { data } of golden.values()) for (const value of data) largest = Math.max(largest, Math.abs(value));
  const read = await program.readAll([...grads.values()]);
  const parts = new Map([...grads.keys()].map((key, i) => [key, new Float32Array(read[i] ?? new ArrayBuffer(0))]));
  const tolerance = gradientTolerance(largest);
  for (const entry of parameters.list("weight")) compareParameter(session, entry, "grad.", parts, tolerance);
  for (const name of golden.keys()) {
    if (!parameters.has(name)) report.fail("grad", `grad.${name}`, "the network has no such parameter");
  }
}

function compareParameter(
  { file, report, parameters }: Session,
  { name, shape }: Parameter,
  prefix: string,
  parts: ReadonlyMap<string, Float32Array>,
  tolerance: Tolerance,
): void {
  const data = parameters.fromStorage(name, (key) => parts.get(key));
  report.compare(prefix.slice(0, -1), file.takeFloat(`${prefix}${name}`), { shape, data }, tolerance);
}

async function compareStatistics(session: Session): Promise<void> {
  const { file, report, store, parameters } = session;
  if (file.names("stat_after.").length === 0) return;
  await report.inCase("stat_after", async () => {
    const after = await store.readArena("statistic");
    for (const entry of parameters.list("statistic")) {
      compareParameter(session, entry, "stat_after.", after, TOLERANCE.statistics);
    }
  });
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

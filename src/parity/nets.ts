import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { toChannelsLast } from "../kernels/trace/shape.ts";
import { networkLoss, targetInput, targetsOf } from "../model/losses.ts";
import { DEFAULT_LOSS, type Head } from "../model/supervision.ts";
import { checked, fromZoo, type NetworkConfig } from "../model/zoo.ts";
import { FixtureError, type FixtureFile } from "./fixture.ts";
import {
  compareGradients,
  compareMap,
  compareStatistics,
  gradientsByKey,
  loadNetwork,
  moveStatistics,
  type NetworkSession,
  traced,
} from "./network.ts";
import type { Checker } from "./run.ts";
import { TOLERANCE } from "./tolerance.ts";

/** The oracle's constructor arguments by network, with our names. */
const ARGUMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  unet: { base: "base", depth: "depth" },
  unetpp: { base: "base", depth: "depth", deep: "deep" },
  pranet: { kind: "encoder", width: "base", blocks: "blocks", c: "field", ra4: "deep", ra: "fine", head: "head" },
  hrnet: {
    width: "base",
    stem: "stem",
    planes: "planes",
    stage1: "stage1",
    modules: "modules",
    blocks: "blocks",
    momentum: "momentum",
    single: "single",
  },
  nnunet: { features: "features", convs: "convs", strides: "strides" },
  cfanet: { kind: "encoder", width: "base", blocks: "blocks", c: "channels" },
  transnetr: {
    width: "base",
    blocks: "blocks",
    c: "channels",
    tokens: "tokens",
    ff: "hidden",
    p: "dropout",
    heads: "heads",
    layers: "layers",
    over: "over",
    full: "unread",
  },
  pspnet: { width: "base", blocks: "blocks", bins: "bins", p: "dropout" },
  deeplabv3: {
    width: "base",
    blocks: "blocks",
    c: "channels",
    rates: "rates",
    p: "dropout",
    aux_p: "auxiliaryDropout",
  },
  caranet: { kind: "encoder", width: "base", blocks: "blocks", c: "field", reach: "reach" },
};

/** The network of a file: the published one with what the file changes. The oracle mixes images of a batch throughout. */
function configOf(file: FixtureFile): NetworkConfig {
  const net = file.text("net");
  const names = ARGUMENTS[net];
  if (!names) throw new FixtureError(`there is no comparison network "${net}"`);
  const given = file.json("config") as Readonly<Record<string, unknown>>;
  const changes = Object.entries(given).map(([key, value]) => {
    const ours = names[key];
    if (!ours) throw new FixtureError(`${net} has no argument "${key}"`);
    return [ours, value];
  });
  const { config } = fromZoo(net);
  const mixed = config.kind === "transnetr" ? { ...config, mixInEvaluation: true } : config;
  return { ...mixed, ...Object.fromEntries(changes), classes: Number(file.text("classes")) } as NetworkConfig;
}

/** Checks comparison networks: evaluation, a training pass with its outputs, loss, statistics and every gradient. */
export function netsChecker(device: Device): Checker {
  return async (file, report) => {
    const image = file.takeFloat("input");
    const [, , height = 0, width = 0] = image.shape;
    const config = checked({ ...configOf(file), height, width });
    file.remarks("seed", "f32_error", "f32_spread");
    const store = new StateStore(device);
    try {
      const statistics = { before: "buffer.", after: "after." };
      const session = await loadNetwork({ device, file, report, config, store, image, statistics });
      await report.inCase("eval", () => evaluation(session));
      await report.inCase("train", () => training(session));
      await compareStatistics(session);
    } finally {
      store.destroy();
    }
  };
}

async function evaluation(session: NetworkSession): Promise<void> {
  const { device, store, image } = session;
  const { build, logits } = traced(session, "eval");
  const program = await Program.compile(device, build.graph, { store, keep: [logits] });
  try {
    program.poison();
    program.write("image", toChannelsLast(Float32Array.from(image.data), image.shape));
    program.run();
    await compareMap(session, program, logits, "eval.out", TOLERANCE.evaluation);
  } finally {
    program.destroy();
  }
}

/** The golden name of each output: class maps are numbered, the boundary map has a name of its own. */
function namesOf(heads: readonly Head[]): string[] {
  let next = 0;
  return heads.map(({ kind }) => (kind === "edges" ? "train.edge" : `train.seg.${next++}`));
}

async function training(session: NetworkSession): Promise<void> {
  const { device, store, image, file, report, config, parameters } = session;
  const { build, heads, logits } = traced(session, "train");
  const { graph } = build;
  const label = graph.input("label", logits.shape.slice(0, 3), "i32");
  const weight = graph.input("class weights", [config.classes]);
  const loss = networkLoss(graph, heads, label, weight, DEFAULT_LOSS);
  const grads = gradientsByKey(build, loss, parameters);
  moveStatistics(build);
  const keep = [...heads.map((head) => head.logits), loss, ...grads.values()];
  const program = await Program.compile(device, graph, { store, keep });
  try {
    program.poison();
    program.write("image", toChannelsLast(Float32Array.from(image.data), image.shape));
    program.write("label", Int32Array.from(file.takeFloat("label").data));
    for (const kind of targetsOf(heads)) program.write(targetInput(kind), file.takeFloat(GOLDEN_TARGET[kind]).data);
    program.write("class weights", new Float32Array(config.classes).fill(1));
    program.write("seed", Float32Array.of(1));
    if (graph.inputs.has("control")) program.write("control", new Uint32Array(4));
    program.run();
    const names = namesOf(heads);
    for (const [i, head] of heads.entries()) {
      await compareMap(session, program, head.logits, names[i] ?? "", TOLERANCE.training);
    }
    const value = { shape: [1], data: await program.read(loss) };
    report.compare("train", file.takeFloat("loss"), value, TOLERANCE.evaluation);
    await report.inCase("grad", () => compareGradients(session, program, grads));
  } finally {
    program.destroy();
  }
}

const GOLDEN_TARGET = { edges: "edge", foreground: "foreground" } as const;

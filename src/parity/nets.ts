import type { Device } from "../kernels/device/device.ts";
import { targetMap, targetsOf } from "../model/losses.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import { checked, fromZoo, type NetworkConfig } from "../model/zoo.ts";
import type { TrainingTrace } from "../training/training-trace.ts";
import type { Checker } from "./check-files.ts";
import { FixtureError, type FixtureFile } from "./fixture.ts";
import { checkEvaluation, checkTraining, type NetworkSession, openSession } from "./network.ts";
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

/**
 * Checks comparison networks through the programs that users run: evaluation, a training step with its outputs, loss,
 * statistics and every gradient.
 */
export function netsChecker(device: Device): Checker {
  return async (file, report) => {
    const image = file.takeFloat("input");
    const [, , height = 0, width = 0] = image.shape;
    const config = checked({ ...configOf(file), height, width });
    file.remarks("seed", "f32_error", "f32_spread");
    const statistics = { before: "buffer.", after: "after." };
    const session = await openSession(device, config, { file, report, image, statistics });
    try {
      await report.inCase("eval", () => checkEvaluation(session, "eval.out", []));
      await report.inCase("train", () => training(session));
    } finally {
      session.network.destroy();
    }
  };
}

/** The golden name of each output: class maps are numbered, the boundary map has a name of its own. */
function namesOf({ heads }: TrainingTrace): string[] {
  let next = 0;
  return heads.map(({ kind }) => (kind === "edges" ? "train.edge" : `train.seg.${next++}`));
}

function training(session: NetworkSession): Promise<void> {
  const { file } = session;
  const labels = Int32Array.from(file.takeFloat("label").data);
  return checkTraining(session, {
    loss: DEFAULT_LOSS,
    labels,
    headNames: namesOf,
    lossName: "loss",
    check: (trace) => checkTargets(session, trace, labels),
    draws: () => new Map(),
  });
}

const GOLDEN_TARGET = { edges: "edge", foreground: "foreground" } as const;

/** The maps that the step makes of the labels must be those that the file was made with. */
function checkTargets({ file, report, network }: NetworkSession, { heads }: TrainingTrace, labels: Int32Array): void {
  const { height, width } = network.config;
  for (const kind of targetsOf(heads)) {
    const golden = file.takeFloat(GOLDEN_TARGET[kind]);
    const data = targetMap(kind, labels, { height, width, ignoreIndex: DEFAULT_LOSS.ignoreIndex });
    report.compare("train", golden, { shape: golden.shape, data }, TOLERANCE.op);
  }
}

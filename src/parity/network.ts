import type { Program } from "../kernels/compile/program.ts";
import type { Device } from "../kernels/device/device.ts";
import type { Value } from "../kernels/trace/op.ts";
import { fromChannelsLast, type Shape, toChannelsLast } from "../kernels/trace/shape.ts";
import type { Regions } from "../model/draws.ts";
import type { LossSettings } from "../model/supervision.ts";
import type { NetworkConfig } from "../model/zoo.ts";
import { Network } from "../training/network.ts";
import { allocateTraining, compileStep } from "../training/trainer.ts";
import type { TrainingBatch, TrainingSettings, TrainingTrace } from "../training/training-trace.ts";
import type { FixtureFile, FixtureTensor } from "./fixture.ts";
import type { FileReport } from "./report.ts";
import { gradientTolerance, TOLERANCE, type Tolerance } from "./tolerance.ts";

/** What the passes over one golden file of a network share: the network as the file has it, on a device. */
export interface NetworkSession {
  readonly file: FixtureFile;
  readonly report: FileReport;
  readonly network: Network;
  /** `[n, 3, h, w]`. */
  readonly image: FixtureTensor;
  /** How the names of running statistics begin in the file, before and after the pass. */
  readonly statistics: { readonly before: string; readonly after: string };
}

/** Makes the network of a file, at the size of its image, and gives it the file's numbers. */
export async function openSession(
  device: Device,
  config: NetworkConfig,
  given: Omit<NetworkSession, "network">,
): Promise<NetworkSession> {
  const { file, image, statistics } = given;
  const [, , height = 0, width = 0] = image.shape;
  const network = await Network.empty(device, { ...config, height, width });
  for (const { name, kind } of network.table.list()) {
    if (kind === "region") network.regions.set(name, file.takeInt(`region.${name}`).data);
    else if (kind === "statistic") network.write(name, file.takeFloat(`${statistics.before}${name}`).data);
    else network.write(name, file.takeFloat(`param.${name}`).data);
  }
  return { ...given, network };
}

const imagesOf = ({ image }: NetworkSession): Float32Array =>
  toChannelsLast(Float32Array.from(image.data), image.shape);

/** Compares the evaluation that users run, and then once more with those named intermediates kept that the file has. */
export async function checkEvaluation(
  session: NetworkSession,
  golden: string,
  names: readonly string[],
): Promise<void> {
  await evaluateKeeping(session, golden, []);
  if (names.length > 0) await evaluateKeeping(session, null, names);
}

async function evaluateKeeping(session: NetworkSession, golden: string | null, intermediates: readonly string[]) {
  const [batch = 1] = session.image.shape;
  const inference = await session.network.inference({ batch, intermediates });
  const { program } = inference;
  try {
    program.poison();
    inference.feed(program, imagesOf(session));
    program.run();
    if (golden !== null) await compareMap(session, program, inference.logits, golden, TOLERANCE.evaluation);
    for (const [name, value] of inference.intermediates) {
      await compareMap(session, program, value, `eval.${name}`, TOLERANCE.evaluation);
    }
  } finally {
    program.destroy();
  }
}

/** What a golden training pass is made with, and how its parts are called. */
export interface GoldenStep {
  readonly loss: LossSettings;
  readonly labels: Int32Array;
  /** Golden names of the outputs that the loss looks at, in the network's order. */
  readonly headNames: (trace: TrainingTrace) => readonly string[];
  readonly lossName: string;
  /** Compares what the step makes of its inputs before it runs. */
  readonly check?: (trace: TrainingTrace) => void;
  /** The recorded random choices by input. */
  readonly draws: (trace: TrainingTrace, regions: Regions) => ReadonlyMap<string, Float32Array>;
}

/** The optimizer plays no part in what is compared of the pass itself; the update has a check of its own. */
const OPTIMIZER: TrainingSettings["optimizer"] = {
  kind: "adamw",
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  clipNorm: null,
};

/** One training step as users run it: outputs, loss, every gradient, running statistics. The weights move. */
export async function checkTraining(session: NetworkSession, golden: GoldenStep): Promise<void> {
  const { network, image, file, report } = session;
  const [batch = 1] = image.shape;
  const { height, width, classes } = network.config;
  await allocateTraining(network, { optimizer: OPTIMIZER, accumulate: 2 });
  const { loss } = golden;
  const step = { batch, loss, optimizer: OPTIMIZER, accumulate: 1, rates: () => 1, keepHeads: true };
  const { trace, program } = await compileStep(network, step);
  try {
    golden.check?.(trace);
    program.poison();
    const given: TrainingBatch = { images: imagesOf(session), labels: golden.labels, height, width };
    const classWeights = new Float32Array(classes).fill(1);
    trace.feed(program, given, { rate: 1e-3, classWeights, draws: golden.draws(trace, network.regions) });
    program.run();
    const names = golden.headNames(trace);
    for (const [i, { logits }] of trace.heads.entries()) {
      await compareMap(session, program, logits, names[i] ?? "", TOLERANCE.training);
    }
    const value = { shape: [1], data: await program.read(trace.loss) };
    report.compare("train", file.takeFloat(golden.lossName), value, TOLERANCE.evaluation);
  } finally {
    program.destroy();
  }
  await report.inCase("grad", () => compareGradients(session));
  await compareStatistics(session);
}

/** A golden tensor `[n, c, h, w]` against a kept one `[n, h, w, c]`. */
async function compareMap(
  { file, report }: NetworkSession,
  program: Program,
  value: Value,
  name: string,
  tolerance: Tolerance,
): Promise<void> {
  const [n = 1, h = 1, w = 1, c = 1] = value.shape;
  const shape: Shape = [n, c, h, w];
  const data = fromChannelsLast(await program.read(value), shape);
  report.compare(name.split(".", 1)[0] ?? name, file.takeFloat(name), { shape, data }, tolerance);
}

/** Every gradient of the file; where the network has none the golden one must be zero. */
async function compareGradients({ file, report, network }: NetworkSession): Promise<void> {
  const golden = file.takeAll("grad.");
  let largest = 0;
  for (const { data } of golden.values()) for (const value of data) largest = Math.max(largest, Math.abs(value));
  const tolerance = gradientTolerance(largest);
  for (const [name, data] of await network.read("gradient")) {
    const { shape } = network.table.get(name);
    report.compare("grad", file.takeFloat(`grad.${name}`), { shape, data }, tolerance);
  }
  for (const name of golden.keys()) {
    if (!network.table.has(name)) report.fail("grad", `grad.${name}`, "the network has no such parameter");
  }
}

/** Running statistics after the pass, where the file has them. */
async function compareStatistics({ file, report, network, statistics }: NetworkSession): Promise<void> {
  const { after } = statistics;
  if (file.names(after).length === 0) return;
  await report.inCase(after.slice(0, -1), async () => {
    for (const [name, data] of await network.readStatistics()) {
      const { shape } = network.table.get(name);
      report.compare(after.slice(0, -1), file.takeFloat(`${after}${name}`), { shape, data }, TOLERANCE.statistics);
    }
  });
}

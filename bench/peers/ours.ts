import { prepareRows } from "../../src/bench/op-rows.ts";
import { PLAIN } from "../../src/bench/reference.ts";
import type { Check } from "../../src/checks/check.ts";
import { noise } from "../../src/checks/draw.ts";
import { OP_CHECKS } from "../../src/checks/op-checks.ts";
import type { Program } from "../../src/kernels/compile/program.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import type { Shape } from "../../src/kernels/trace/shape.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { clocked, type Timed } from "./rounds.ts";
import { compileUnet, type UnetRun } from "./unet.ts";
import type { WorkName } from "./works.ts";

/** Our side of a work, its results checked: ops against float64, the network against the plain kernels. */
export interface Ours {
  readonly time: Timed;
  /** Why it must not be timed; null when it computes what it should. */
  readonly refusal: string | null;
  destroy(): void;
}

const CONV = { stride: 1, padding: 1, dilation: 1, groups: 1 };
const SQUARE = [1, 64, 64, 64];
const WEIGHT = [64, 3, 3, 64];
/** Sums of 2304 products, in other orders than float64's. */
const TOLERANCE = 2e-4;

interface OpWork {
  readonly check: Check;
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly attrs: unknown;
}

const conv = (x: Shape, weight: Shape, change = {}): OpWork => ({
  check: OP_CHECKS.conv2d,
  inputs: { x, weight },
  attrs: { ...CONV, ...change },
});

const OPS: Readonly<Partial<Record<WorkName, OpWork>>> = {
  "matmul 512": { check: OP_CHECKS.linear, inputs: { x: [512, 512], weight: [512, 512] }, attrs: {} },
  "conv3x3 64->64 at 64x64": conv(SQUARE, WEIGHT),
  "conv3x3 32->32 at 64x64, batch 4": conv([4, 64, 64, 32], [32, 3, 3, 32]),
  "conv3x3 256->256 at 16x16": conv([1, 16, 16, 256], [256, 3, 3, 256]),
  "conv3x3 dilation 2": conv(SQUARE, WEIGHT, { padding: 2, dilation: 2 }),
  "conv3x3 stride 2": conv(SQUARE, WEIGHT, { stride: 2 }),
  "transposed 3x3 stride 2": {
    check: OP_CHECKS.convTranspose2d,
    inputs: { x: [1, 32, 32, 64], weight: WEIGHT },
    attrs: { stride: 2, padding: 1, outputPadding: 1 },
  },
  "attention, 1024 tokens, d 64": {
    check: OP_CHECKS.attention,
    inputs: { q: [1, 1024, 64], k: [1, 1024, 64], v: [1, 1024, 64] },
    attrs: { heads: 1 },
  },
  "batch norm, training": {
    check: OP_CHECKS.batchNormTrain,
    inputs: { x: [4, 64, 64, 64], weight: [64], bias: [64] },
    attrs: { eps: 1e-5 },
  },
  "resize, corners aligned, 32->64": {
    check: OP_CHECKS.resizeBilinear,
    inputs: { x: [1, 32, 32, 32] },
    attrs: { height: 64, width: 64, alignCorners: true },
  },
};

/** Prepares a work on a device. `frozen` normalises by running statistics, as a peer that cannot train does. */
export async function prepareOurs(device: Device, work: WorkName, frozen: boolean): Promise<Ours> {
  if (work === "U-Net forward") return network(device, { backward: false, frozen });
  if (work === "U-Net forward and backward") return network(device, { backward: true, frozen: false });
  const software = device.target.software;
  const op = OPS[work];
  const bench = op
    ? { inputs: drawn(op.inputs), attrs: op.attrs, about: "", epilogue: [], tolerance: TOLERANCE }
    : OP_CHECKS.adamW.bench({ software, batch: 1 })[0];
  if (!bench) throw new Error(`${work} has no call of ours`);
  const [row] = await prepareRows(device, op?.check ?? OP_CHECKS.adamW, {
    row: work,
    detail: "",
    passes: [],
    ...bench,
  });
  if (!row) throw new Error(`${work} was not prepared`);
  return { ...timed(device, row.program), refusal: row.refusal };
}

const drawn = (inputs: Readonly<Record<string, Shape>>) =>
  Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, noise(shape)]));

function timed(device: Device, program: Program) {
  const time = clocked(() => {
    program.run();
    return device.finish();
  });
  return { time, destroy: () => program.destroy() };
}

/** Logits and every gradient, against those of the plain kernels on a device of their own. */
async function network(device: Device, run: UnetRun): Promise<Ours> {
  const plain = await openDevice({ target: PLAIN });
  const exact = await (await compileUnet(plain, run)).results();
  plain.close();
  const { program, results } = await compileUnet(device, run);
  return { ...timed(device, program), refusal: difference(exact, await results()) };
}

/** Gradients through norms of few values shrink: differences are measured by the largest number of each tensor. */
const NETWORK_TOLERANCE = 2e-3;

/** What is wrong with tensors that should equal others; null when nothing is. */
export function difference(exact: readonly Float32Array[], got: readonly Float32Array[]): string | null {
  for (const [i, expected] of exact.entries()) {
    const actual = got[i] ?? new Float32Array();
    let [most, worst] = [0, 0];
    for (const [place, value] of expected.entries()) {
      most = Math.max(most, Math.abs(value));
      const error = Math.abs(value - (actual[place] ?? Number.NaN));
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
    }
    if (worst > NETWORK_TOLERANCE * most) return `tensor ${i} of its results differs by ${worst}, at most ${most}`;
  }
  return null;
}

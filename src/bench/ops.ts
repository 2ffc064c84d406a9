import { COMPOSITIONS } from "../checks/compositions.ts";
import { OP_CHECKS } from "../checks/op-checks.ts";
import type { Program } from "../kernels/compile/program.ts";
import type { Device } from "../kernels/device/device.ts";
import { type Copy, prepareCopy } from "./bandwidth.ts";
import { type Ceiling, matmulFlops, measureCeiling, recompile } from "./ceiling.ts";
import { interleaved, kernelTime, type Rounds, type Spread, spreadOf } from "./measure.ts";
import { type PreparedRow, prepareRows } from "./op-rows.ts";

export interface OpRow {
  readonly op: string;
  readonly detail: string;
  readonly pass: string;
  /** Milliseconds on the GPU; null for a kernel that failed its check. */
  readonly time: Spread | null;
  /** Null for ops that only move numbers. */
  readonly gflops: number | null;
  /** Every tensor read or written once. */
  readonly gigabytesPerSecond: number | null;
  /** The matrix product and the buffer copy, timed in turns with this op. */
  readonly ceilingGflops: number;
  readonly copyGigabytesPerSecond: number;
  /** Of the nearer of the two ceilings, and which that is. */
  readonly share: number | null;
  readonly bound: "arithmetic" | "memory" | null;
  readonly refusal: string | null;
}

export interface OpsResult {
  readonly ceiling: Ceiling;
  readonly rows: readonly OpRow[];
}

const OP_ROUNDS: Rounds = { least: 5, most: 15, budget: 4000 };

/** What every op is compared with. */
interface Peers {
  readonly product: Program;
  readonly flops: number;
  readonly copy: Copy;
}

/**
 * Times every op whose name contains `filter`, each pass only after a sample of its results equalled float64. All
 * passes of an op run in turns, together with the fastest matrix product and a buffer copy.
 */
export async function benchOps(
  device: Device,
  filter: string,
  onRow: (row: OpRow) => void = () => undefined,
): Promise<OpsResult> {
  const ceiling = await measureCeiling(device, OP_ROUNDS, "all");
  const product = await recompile(device, ceiling.best);
  const copy = await prepareCopy(device);
  const peers: Peers = { product, flops: matmulFlops(ceiling.best.size), copy };
  const rows: OpRow[] = [];
  try {
    for (const make of makersOf(device, filter)) {
      for (const row of await timeRows(device, await make(), peers)) {
        rows.push(row);
        onRow(row);
      }
    }
  } finally {
    product.destroy();
    copy.destroy();
  }
  return { ceiling, rows };
}

/** Sizes that keep a CPU driver busy for milliseconds, and sixteen times as much for a GPU. */
function makersOf(device: Device, filter: string): (() => Promise<PreparedRow[]>)[] {
  const { software } = device.target;
  const size = { software, batch: software ? 1 : 16 };
  return [...Object.values(OP_CHECKS), ...COMPOSITIONS].flatMap((check) =>
    check
      .bench(size)
      .filter(({ row }) => row.includes(filter))
      .map((one) => () => prepareRows(device, check, one)),
  );
}

async function timeRows(device: Device, prepared: readonly PreparedRow[], peers: Peers): Promise<OpRow[]> {
  try {
    const sound = prepared.filter(({ refusal }) => refusal === null);
    const [product = [], copy = [], ...samples] = await interleaved(
      [kernelTime(device, peers.product, () => true), peers.copy.time, ...sound.map(({ time }) => time)],
      OP_ROUNDS,
    );
    const ceilingGflops = peers.flops / spreadOf(product).median / 1e6;
    const copyGigabytesPerSecond = peers.copy.bytes / spreadOf(copy).median / 1e6;
    return prepared.map((row) => {
      const { op, detail, pass, refusal } = row;
      const own = samples[sound.indexOf(row)];
      const figures = own ? figuresOf(row, spreadOf(own), ceilingGflops, copyGigabytesPerSecond) : REFUSED;
      return { op, detail, pass, ...figures, ceilingGflops, copyGigabytesPerSecond, refusal };
    });
  } finally {
    for (const { program } of prepared) program.destroy();
  }
}

const REFUSED = { time: null, gflops: null, gigabytesPerSecond: null, share: null, bound: null };

function figuresOf({ flops, bytes }: PreparedRow, time: Spread, ceiling: number, copy: number) {
  const gflops = flops === null ? null : flops / time.median / 1e6;
  const gigabytesPerSecond = bytes / time.median / 1e6;
  const arithmetic = (gflops ?? 0) / ceiling;
  const memory = gigabytesPerSecond / copy;
  const bound = arithmetic >= memory ? ("arithmetic" as const) : ("memory" as const);
  return { time, gflops, gigabytesPerSecond, share: Math.max(arithmetic, memory), bound };
}

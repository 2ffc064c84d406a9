import { randomFloats } from "../checks/draw.ts";
import type { Program } from "../kernels/compile/program.ts";
import type { Device } from "../kernels/device/device.ts";
import type { ZooEntry } from "../model/zoo.ts";
import { Network } from "../training/network.ts";
import { type Spread, spreadOf } from "./measure.ts";
import { prepareTraining } from "./training.ts";

/** What a run costs the host, in microseconds a dispatch: its calls into Dawn and the driver, the GPU's work left out. */
export interface HostRow {
  readonly preset: string;
  readonly size: number;
  readonly batch: number;
  readonly train: boolean;
  readonly dispatches: number;
  readonly pipelines: number;
  /** Submits in which a run goes; the GPU waits for the encoding of the first one only. */
  readonly submits: number;
  readonly runs: number;
  readonly encode: Spread;
  readonly submit: Spread;
  readonly total: Spread;
}

export interface HostOptions {
  readonly batch: number;
  readonly train: boolean;
  readonly runs: number;
}

/** Times the encoding and the submit of one program, each time while the GPU has nothing to do. */
export async function benchHost(device: Device, entry: ZooEntry, options: HostOptions): Promise<HostRow> {
  const { name, config } = entry;
  const { batch, train, runs } = options;
  const row = async (program: Program): Promise<HostRow> => {
    const times = await hostTimes(device, program, runs);
    const { length } = program.dispatches;
    const spread = (of: (time: HostTime) => number) => spreadOf(times.map((time) => (1000 * of(time)) / length));
    return {
      ...{ preset: name, size: config.height, batch, train, dispatches: length, runs },
      ...{ pipelines: new Set(program.dispatches.map(({ wgsl }) => wgsl)).size, submits: program.submits },
      encode: spread(({ encode }) => encode),
      submit: spread(({ submit }) => submit),
      total: spread(({ encode, submit }) => encode + submit),
    };
  };
  if (train) {
    const bench = await prepareTraining(device, config, { batch });
    try {
      return await row(bench.program);
    } finally {
      bench.destroy();
    }
  }
  const network = await Network.create(device, config, 1);
  try {
    const { program, feed } = await network.inference({ batch });
    feed(program, randomFloats(1, batch * config.height * config.width * 3));
    return await row(program);
  } finally {
    network.destroy();
  }
}

type HostTime = ReturnType<Program["hostTime"]>;

/** Runs before those that count: drivers finish compiling, and V8 optimises the loop. */
const WARM = 5;

async function hostTimes(device: Device, program: Program, runs: number): Promise<HostTime[]> {
  const times: HostTime[] = [];
  for (let run = 0; run < WARM + runs; run++) {
    program.run();
    await device.finish();
    times.push(program.hostTime());
    await device.finish();
  }
  return times.slice(WARM);
}

import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { adamW } from "../kernels/ops/update/update.ts";
import { Graph } from "../kernels/trace/graph.ts";
import { kernelTime } from "./measure.ts";
import { randomFloats } from "./numbers.ts";
import { compareSamples, type PreparedRow } from "./op-case.ts";

const COUNT = 2 ** 20;
const [BETA1, BETA2, EPS, RATE, DECAY] = [0.9, 0.999, 1e-8, 1e-3, 1e-2];

/** The first AdamW step on a million parameters, as `prepareAdamW` sets it up. */
const HYPER = Float32Array.of(RATE / (1 - BETA1), 1 / Math.sqrt(1 - BETA2), 1, 1 - RATE * DECAY, 0, 0, 0, 0);

export async function prepareAdamW(device: Device): Promise<PreparedRow[]> {
  const graph = new Graph();
  const given = { parameter: randomFloats(1, COUNT), gradient: randomFloats(2, COUNT) };
  const parameter = graph.input("parameter", [COUNT]);
  const moments = { first: graph.input("first", [COUNT]), second: graph.input("second", [COUNT]) };
  const gradient = graph.input("gradient", [COUNT]);
  const hyper = graph.input("hyper", [8]);
  const attrs = { beta1: BETA1, beta2: BETA2, weightDecay: DECAY, eps: EPS };
  graph.update(adamW, { parameter, ...moments, gradient, hyper }, attrs);
  const program = await Program.compile(device, graph, { store: new StateStore(device) });
  program.poison();
  for (const [name, data] of Object.entries(given)) program.write(name, data);
  for (const name of Object.keys(moments)) program.write(name, new Float32Array(COUNT));
  program.write("hyper", HYPER);
  program.run();
  // The first step moves every parameter by the rate against its gradient's sign, nearly.
  const exact = (i: number) => {
    const [p = 0, g = 0] = [given.parameter[i], given.gradient[i]];
    return p * (1 - RATE * DECAY) - (RATE * g) / (Math.abs(g) + EPS);
  };
  return [
    {
      op: "AdamW",
      detail: `${COUNT} parameters`,
      pass: "update",
      flops: null,
      // Reads four tensors and writes three.
      bytes: 7 * 4 * COUNT,
      refusal: compareSamples("parameter", await program.read(parameter), 48, exact),
      time: kernelTime(device, program, () => true),
      program,
    },
  ];
}

import { lower } from "../../src/kernels/compile/lower.ts";
import { settle } from "../../src/kernels/compile/settle.ts";
import { byteSize } from "../../src/kernels/shader/shader.ts";
import { DEFAULT_TARGET, type Target } from "../../src/kernels/target.ts";
import type { Graph } from "../../src/kernels/trace/graph.ts";
import type { Dispatch } from "../../src/kernels/trace/op.ts";
import { DEFAULT_LOSS } from "../../src/model/supervision.ts";
import { type NetworkConfig, traceNetwork } from "../../src/model/zoo.ts";
import { inferenceTrace } from "../../src/training/inference-trace.ts";
import type { Precision } from "../../src/training/passes.ts";
import { trainingTrace } from "../../src/training/training-trace.ts";
import type { Source } from "./null-device.ts";

/** What RADV's devices without hardware say of themselves, and what any desktop GPU comes near. */
export const RADEON: Target = {
  ...DEFAULT_TARGET,
  bindingLimit: 4_294_967_292,
  storageBuffers: 16,
  workgroupInvocations: 1024,
  workgroupStorage: 65536,
};

/** A tensor of a dispatch. */
export interface Bound {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly bytes: number;
}

/** Dispatches that are alike: same kernel, same sizes, same grid. */
export interface Use {
  /** Where in the network the first of them is. */
  readonly path: string;
  readonly workgroups: readonly [x: number, y: number, z: number];
  readonly count: number;
  /** Multiply-accumulates of each. */
  readonly macs: number;
  /** Whole numbers of the uniform block by name. */
  readonly args: Readonly<Record<string, number>>;
  readonly tensors: readonly Bound[];
}

export interface Kernel extends Source {
  readonly uses: readonly Use[];
}

export interface Workload {
  readonly batch: number;
  readonly train: boolean;
  /** How activations and weights are stored (default: f32). */
  readonly precision?: Precision;
}

/** The distinct kernels of one run of a network as it is lowered for a target; needs no GPU. What is done once a state is left out. */
export function kernelsOf(config: NetworkConfig, work: Workload, target: Target = RADEON): Kernel[] {
  const { graph, placed } = work.train ? trainingStep(config, work, target) : inference(config, work);
  const state = new Set([...graph.stored.map(({ id }) => id), ...placed].map((id) => graph.root(id)));
  const inputs = new Set([...graph.inputs.values()].map(({ id }) => graph.root(id)));
  const { dispatches, once } = settle(lower(graph, target), state, inputs);
  const kernels = new Map<string, { readonly source: Source; readonly uses: Map<string, Use> }>();
  for (const { label, path, wgsl, uniform, workgroups, macs, bindings } of dispatches.slice(once)) {
    const kernel = kernels.get(wgsl) ?? { source: { label, wgsl }, uses: new Map<string, Use>() };
    kernels.set(wgsl, kernel);
    const tensors = boundOf(bindings);
    const key = JSON.stringify([workgroups, [...uniform], macs, tensors]);
    const known = kernel.uses.get(key);
    const use = known ?? { path, workgroups, count: 0, macs, args: argsOf(wgsl, uniform), tensors };
    kernel.uses.set(key, { ...use, count: use.count + 1 });
  }
  return [...kernels.values()].map(({ source, uses }) => ({ ...source, uses: [...uses.values()] }));
}

interface Traced {
  readonly graph: Graph;
  /** Tensors whose storage is a state's. */
  readonly placed: readonly number[];
}

function inference(config: NetworkConfig, { batch, precision = "f32" }: Workload): Traced {
  return { graph: inferenceTrace(config, { batch, precision }).graph, placed: [] };
}

/** The paper's optimizer and loss. */
function trainingStep(config: NetworkConfig, { batch, precision = "f32" }: Workload, target: Target): Traced {
  const { parameters } = traceNetwork(config, { mode: "train", batch }).build;
  const optimizer = { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.03, clipNorm: null } as const;
  const settings = { batch, precision, loss: DEFAULT_LOSS, optimizer, accumulate: 1, rates: () => 1 };
  const { graph, placed } = trainingTrace(config, parameters, target, settings);
  return { graph, placed: [...placed.keys()] };
}

/** Each tensor once, however often it is bound: a tensor that is read twice comes from memory once. */
function boundOf(bindings: Dispatch["bindings"]): Bound[] {
  const bound = new Map<number, Bound>();
  for (const { value, access } of bindings) {
    const known = bound.get(value.id);
    bound.set(value.id, {
      reads: access !== "write" || known?.reads === true,
      writes: access !== "read" || known?.writes === true,
      bytes: Math.max(byteSize(value), known?.bytes ?? 0),
    });
  }
  return [...bound.values()];
}

/** The uniform block's whole numbers by the names in the kernel's text. */
function argsOf(wgsl: string, words: Uint32Array): Record<string, number> {
  const members = /struct Args \{ ([^}]*) \}/.exec(wgsl)?.[1]?.split(", ") ?? [];
  const named = members.map(
    (member, i) => [member.split(":")[0] ?? "", member.endsWith("f32") ? null : words[i]] as const,
  );
  return Object.fromEntries(named.flatMap(([name, word]) => (typeof word === "number" ? [[name, word]] : [])));
}

import { differentiate } from "../../src/autograd/differentiate.ts";
import { randomFloats } from "../../src/checks/draw.ts";
import { Program } from "../../src/kernels/compile/program.ts";
import { StateStore } from "../../src/kernels/compile/state.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { conv2d, convTranspose2d } from "../../src/kernels/ops/contraction/conv.ts";
import { concat } from "../../src/kernels/ops/layout.ts";
import { batchNormEval, batchNormTrain } from "../../src/kernels/ops/norm/batch-norm.ts";
import { relu } from "../../src/kernels/ops/pointwise.ts";
import { maxPool2d } from "../../src/kernels/ops/pool/pool.ts";
import { fuse } from "../../src/kernels/passes/fuse.ts";
import { Graph } from "../../src/kernels/trace/graph.ts";
import type { Value } from "../../src/kernels/trace/op.ts";
import { type Shape, sizeOf } from "../../src/kernels/trace/shape.ts";

/** The network that every peer runs: three levels, 16 channels where widest in pixels, two 64x64 images, one logit. */
const BASE = 16;
const CONV = { stride: 1, padding: 1, dilation: 1, groups: 1 };
const EPS = 1e-5;

export interface UnetRun {
  /** The gradients of all weights too. */
  readonly backward: boolean;
  /** Norms by running statistics instead of the batch's. */
  readonly frozen: boolean;
}

class Unet {
  readonly graph = new Graph();
  readonly weights: Value[] = [];
  readonly logits: Value;
  readonly #frozen: boolean;

  constructor(frozen: boolean) {
    this.#frozen = frozen;
    const image = this.graph.input("image", [2, 64, 64, 3]);
    const first = this.#block(image, 3, BASE);
    const second = this.#block(this.#halved(first), BASE, 2 * BASE);
    const third = this.#block(this.#halved(second), 2 * BASE, 4 * BASE);
    const joined = this.#joined(this.#doubled(third, 4 * BASE, 2 * BASE), second);
    const fourth = this.#block(joined, 4 * BASE, 2 * BASE);
    const last = this.#block(this.#joined(this.#doubled(fourth, 2 * BASE, BASE), first), 2 * BASE, BASE);
    this.logits = this.graph.apply(conv2d, { x: last, weight: this.#weight([1, 1, 1, BASE]) }, { ...CONV, padding: 0 });
  }

  #weight(shape: Shape): Value {
    const weight = this.graph.input(`weight${this.weights.length}`, shape);
    this.weights.push(weight);
    return weight;
  }

  #block(x: Value, from: number, to: number): Value {
    return this.#conv(this.#conv(x, from, to), to, to);
  }

  #conv(x: Value, from: number, to: number): Value {
    const y = this.graph.apply(conv2d, { x, weight: this.#weight([to, 3, 3, from]) }, CONV);
    return this.graph.apply(relu, { x: this.#norm(y, to) }, {});
  }

  #norm(x: Value, channels: number): Value {
    const [weight, bias] = [this.#weight([channels]), this.#weight([channels])];
    if (!this.#frozen) return this.graph.apply(batchNormTrain, { x, weight, bias }, { eps: EPS });
    const name = this.weights.length;
    const mean = this.graph.input(`mean${name}`, [channels]);
    const variance = this.graph.input(`variance${name}`, [channels]);
    return this.graph.apply(batchNormEval, { x, weight, bias, mean, variance }, { eps: EPS });
  }

  #halved(x: Value): Value {
    return this.graph.apply(maxPool2d, { x }, { kernel: 2, stride: 2, padding: 0 });
  }

  #doubled(x: Value, from: number, to: number): Value {
    const attrs = { stride: 2, padding: 0, outputPadding: 0 };
    return this.graph.apply(convTranspose2d, { x, weight: this.#weight([from, 2, 2, to]) }, attrs);
  }

  #joined(one: Value, other: Value): Value {
    const op = concat(2);
    const [first = "", second = ""] = op.inputs;
    return this.graph.apply(op, { [first]: one, [second]: other }, {});
  }
}

/** The program, and its results once it has run: the logits, then the gradients. */
export async function compileUnet(device: Device, { backward, frozen }: UnetRun) {
  const { graph, logits, weights } = new Unet(frozen);
  const upstream = backward ? graph.input("upstream", logits.shape) : null;
  const gradients = upstream ? [...differentiate(graph, logits, upstream, weights).values()] : [];
  const keep = [logits, ...gradients];
  fuse(graph, keep);
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep });
  for (const [i, [name, { shape }]] of [...graph.inputs].entries()) {
    const scale = name.startsWith("variance") || name === "image" ? 1 : 0.3;
    const floats = randomFloats(i + 1, sizeOf(shape)).map((value) => scale * value);
    program.write(name, name.startsWith("variance") ? floats.map((value) => 1 + 0.5 * value) : floats);
  }
  const results = async () => {
    program.run();
    return Promise.all(keep.map((value) => program.read(value)));
  };
  return { program, results };
}

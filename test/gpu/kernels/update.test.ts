import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendOptimizer, type OptimizerOptions, type ParameterGroup } from "../../../src/autograd/optimizer.ts";
import { adamWHyper, adamWStep, sgdStep } from "../../../src/checks/cases/update.ts";
import { at, sum } from "../../../src/checks/tensor.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import { ArenaLayout, type StateEntry, StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { runningTable, updateRunning } from "../../../src/kernels/ops/norm/running.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { bits, noise } from "../../support/numbers.ts";

const TOLERANCE = 1e-6;
/** Parameters of two groups; with bindings of 4 KiB the first needs three segments. */
const SHAPES = { encoder: [[7], [3, 3, 3, 5], [2111]], head: [[4, 9]] } as const;

let device: Device;
beforeAll(async () => {
  device = await openDevice({ target: { bindingLimit: 4096 } });
});
afterAll(() => device.close());

function entries(prefix: string, group: keyof typeof SHAPES): StateEntry[] {
  return SHAPES[group].map((shape, i) => ({ key: `${prefix}.${group}.${i}`, shape }));
}

interface Moments {
  readonly parameter: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** Takes one step of every element in place. */
function step(
  { parameter, first, second }: Moments,
  gradient: ArrayLike<number>,
  take: (
    before: { readonly parameter: number; readonly first: number; readonly second: number },
    g: number,
  ) => { readonly parameter: number; readonly first: number; readonly second?: number },
): void {
  for (let i = 0; i < parameter.length; i++) {
    const before = { parameter: at(parameter, i), first: at(first, i), second: at(second, i) };
    const after = take(before, at(gradient, i));
    parameter[i] = after.parameter;
    first[i] = after.first;
    second[i] = after.second ?? 0;
  }
}

/** What clipping to `norm` multiplies gradients by. */
function clipFactor(gradients: readonly ArrayLike<number>[], norm: number): number {
  const squares = gradients.map((gradient) => sum(gradient.length, (i) => at(gradient, i) ** 2));
  return Math.min(1, norm / (Math.sqrt(sum(squares.length, (i) => at(squares, i))) + 1e-6));
}

type Factors = Readonly<Record<string, number>>;

/** Tensors that are not named have a factor of 1. */
function groupOf(graph: Graph, group: keyof typeof SHAPES, factors: Factors = {}): ParameterGroup {
  return {
    name: group,
    weights: `weights.${group}`,
    gradients: `gradients.${group}`,
    first: `first.${group}`,
    second: `second.${group}`,
    segments: new ArenaLayout(entries("x", group), device.target)
      .segmentsBy(device.target, (key) => factors[key.slice("x.".length)] ?? 1)
      .map(({ segment, value }) => ({ segment, rateFactor: value }))
      .filter(({ rateFactor }) => rateFactor > 0),
    clock: graph.state(`clock.${group}`, [1], "u32"),
  };
}

const NAMES = ["encoder", "head"] as const;

const NORM = runningTable([{ channels: 3, mean: 0, variance: 3, batch: 0, momentum: 0.1, count: 10 }]);

/** A program that only updates, on weights of noise, with running statistics beside them. */
class Bench {
  readonly store = new StateStore(device);
  readonly moments = new Map<string, Moments>();
  #program: Program | null = null;

  async open(options: OptimizerOptions, factors: Factors = {}): Promise<this> {
    const graph = new Graph();
    const groups = NAMES.map((name) => groupOf(graph, name, factors));
    for (const name of NAMES) {
      for (const what of ["weights", "gradients", "first", "second"]) {
        await this.store.allocate(`${what}.${name}`, entries(what, name));
      }
    }
    await this.store.allocate("control", [{ key: "control", shape: [4], dtype: "u32" }]);
    const clocks = NAMES.map((name) => ({ key: `clock.${name}`, shape: [1], dtype: "u32" }) as const);
    await this.store.allocate("clocks", clocks);
    await this.store.allocate("running", [{ key: "running", shape: [6] }]);
    const control = graph.state("control", [4], "u32");
    const words = { control, rate: graph.input("rate", [2]), scale: null };
    appendOptimizer(graph, groups, words, graph.input("loss", [1]), options);
    const [running, norms] = [graph.state("running", [6]), graph.input("norms", [1, 8], "u32")];
    graph.update(updateRunning, { running, batch: graph.input("statistics", [9]), norms, control }, {});
    this.#program = await Program.compile(device, graph, { store: this.store });
    for (const [n, key] of this.keys().entries()) {
      const start = noise((await this.store.read(`weights.${key}`)).length, n + 1);
      this.store.write(`weights.${key}`, start);
      const zeros = () => new Float64Array(start.length);
      this.moments.set(key, { parameter: Float64Array.from(start), first: zeros(), second: zeros() });
    }
    return this;
  }

  keys(): string[] {
    return NAMES.flatMap((name) => SHAPES[name].map((_, i) => `${name}.${i}`));
  }

  run(gradients: ReadonlyMap<string, Float32Array>, rate: number, factor: number, loss = 1): void {
    for (const [key, gradient] of gradients) this.store.write(`gradients.${key}`, gradient);
    this.#program?.write("rate", Float32Array.of(rate, factor));
    this.#program?.write("loss", Float32Array.of(loss));
    this.#program?.write("statistics", noise(9, 77));
    this.#program?.write("norms", NORM);
    this.#program?.run();
  }

  gradients(seed: number): Map<string, Float32Array> {
    return new Map(this.keys().map((key, n) => [key, noise(this.moments.get(key)?.first.length ?? 0, 100 * seed + n)]));
  }

  /** Everything a step may change, as bits. */
  async everything(): Promise<Uint32Array[]> {
    const keys = this.keys().flatMap((key) => ["weights", "first", "second"].map((what) => `${what}.${key}`));
    const all = [...keys, ...NAMES.map((name) => `clock.${name}`), "running"];
    const out = [];
    for (const key of all) out.push(bits(await this.store.read(key)));
    return out;
  }

  async control(): Promise<Uint32Array> {
    return bits(await this.store.read("control"));
  }

  close(): void {
    this.#program?.destroy();
    this.store.destroy();
  }
}

async function expectMoments(bench: Bench, whats: readonly (readonly [string, keyof Moments])[]): Promise<void> {
  for (const key of bench.keys()) {
    for (const [what, field] of whats) {
      const expected = bench.moments.get(key)?.[field] ?? new Float64Array(0);
      const got = await bench.store.read(`${what}.${key}`);
      const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const worst = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - (got[i] ?? Number.NaN))), 0);
      // The moments of what does not train are zero.
      if (largest === 0) expect(worst, `${what}.${key}`).toBe(0);
      else expect(worst / largest, `${what}.${key}`).toBeLessThan(TOLERANCE);
    }
  }
}

const float = (word: number | undefined): number => new Float32Array(Uint32Array.of(word ?? 0).buffer)[0] ?? Number.NaN;

/** Of the first group each tensor has its own, and one does not train; the longest spans segments of its own. */
const RATED: Factors = { "encoder.0": 10, "encoder.1": 0, "encoder.2": 0.125 };

const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.03 };
const ADAMW = { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.03, clipNorm: null } as const;

describe("AdamW", () => {
  test.each([
    [null, {}],
    [2.5, {}],
    [null, RATED],
    [2.5, RATED],
  ])("equals float64 over four steps, clipped to %s, with rates of %j", async (clipNorm, factors: Factors) => {
    const bench = await new Bench().open({ ...ADAMW, clipNorm }, factors);
    for (let count = 1; count <= 4; count++) {
      const rate = Math.fround(1e-2 / count);
      const gradients = bench.gradients(count);
      bench.run(gradients, rate, 0.5);
      const trained = [...gradients].filter(([key]) => factors[key] !== 0);
      const halves = new Map(trained.map(([key, g]) => [key, Float64Array.from(g, (v) => v / 2)]));
      const factor = clipNorm === null ? 1 : clipFactor([...halves.values()], clipNorm);
      for (const [key, gradient] of halves) {
        const moments = bench.moments.get(key);
        const hyper = adamWHyper(count, rate * (factors[key] ?? 1), factor, ADAM);
        if (moments) step(moments, gradient, (before, g) => adamWStep(before, g, hyper, ADAM));
      }
      const [skipped, skips, scale, norm] = await bench.control();
      expect([skipped, skips]).toEqual([0, 0]);
      expect(float(scale) / (0.5 * factor)).toBeCloseTo(1, 5);
      expect(clipFactor([...halves.values()], 1) * (float(norm) + 1e-6)).toBeCloseTo(1, 5);
    }
    await expectMoments(bench, [
      ["weights", "parameter"],
      ["first", "first"],
      ["second", "second"],
    ]);
    expect(bits(await bench.store.read("clock.head"))).toEqual(Uint32Array.of(4));
    bench.close();
  });

  test.each([
    ["a NaN gradient", Number.NaN, 1],
    ["an infinite gradient", Number.NEGATIVE_INFINITY, 1],
    ["a NaN loss", 0, Number.NaN],
    ["an infinite loss", 0, Number.POSITIVE_INFINITY],
  ])("%s leaves weights, moments, counters and running statistics bit-identical", async (_, wrong, loss) => {
    const bench = await new Bench().open(ADAMW);
    bench.run(bench.gradients(1), 1e-2, 1);
    const before = await bench.everything();
    const gradients = bench.gradients(2);
    if (wrong !== 0) gradients.get("encoder.2")?.fill(wrong, 2110);
    bench.run(gradients, 1e-2, 1, loss);
    expect(await bench.everything()).toEqual(before);
    expect([...(await bench.control()).subarray(0, 2)]).toEqual([1, 1]);
    // The next good step counts again, and is the group's second.
    bench.run(bench.gradients(3), 1e-2, 1);
    expect([...(await bench.control()).subarray(0, 2)]).toEqual([0, 1]);
    expect(bits(await bench.store.read("clock.encoder"))).toEqual(Uint32Array.of(2));
    expect(await bench.everything()).not.toEqual(before);
    bench.close();
  });
});

describe("SGD", () => {
  test.each([
    [0, false, {}],
    [0.9, false, {}],
    [0.9, true, RATED],
  ])("with momentum %f, Nesterov %s, rates of %j, equals float64", async (momentum, nesterov, factors: Factors) => {
    const options = { kind: "sgd", momentum, nesterov, weightDecay: 0.02, clipNorm: null } as const;
    const bench = await new Bench().open(options, factors);
    for (let count = 1; count <= 3; count++) {
      const gradients = bench.gradients(count);
      const rate = Math.fround(0.05);
      bench.run(gradients, rate, 1);
      for (const [key, gradient] of gradients) {
        const moments = bench.moments.get(key);
        const factor = factors[key] ?? 1;
        if (!moments || factor === 0) continue;
        step(moments, gradient, ({ parameter, first }, g) => {
          const after = sgdStep({ parameter, velocity: first }, g, rate * factor, options);
          return { parameter: after.parameter, first: after.velocity };
        });
      }
    }
    await expectMoments(bench, [
      ["weights", "parameter"],
      ["first", "first"],
    ]);
    bench.close();
  });
});

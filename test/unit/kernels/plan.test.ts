import { describe, expect, test } from "vitest";
import { lower, type PlacedDispatch } from "../../../src/kernels/compile/lower.ts";
import { type Plan, plan } from "../../../src/kernels/compile/plan.ts";
import { random } from "../../../src/kernels/random.ts";
import { byteSize, partBytes } from "../../../src/kernels/shader/shader.ts";
import { DEFAULT_TARGET, type Target } from "../../../src/kernels/target.ts";
import { freshValue } from "../../../src/kernels/trace/graph.ts";
import type { Access, Value } from "../../../src/kernels/trace/op.ts";
import { fitted, fromZoo } from "../../../src/model/zoo.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";
import { tracedStep } from "../../support/training-trace.ts";

const NONE: ReadonlySet<number> = new Set();

/** A dispatch that reads and writes tensors; nothing else of it matters here. */
function dispatch(read: readonly Value[], written: readonly Value[], access: Access = "write"): PlacedDispatch {
  const bindings = [
    ...read.map((value) => ({ value, access: "read" as const })),
    ...written.map((value) => ({ value, access })),
  ];
  return { label: "", wgsl: "", bindings, uniform: new Uint32Array(), workgroups: [1, 1, 1], path: "", macs: 0 };
}

const tensor = (floats: number) => freshValue([floats]);

/** Fails where tensors that live at once overlap, where a dispatch writes a buffer it reads, or where a limit is passed. */
function expectSound(planned: Plan, dispatches: readonly PlacedDispatch[], keep: ReadonlySet<number>, target: Target) {
  const lives = new Map<number, { first: number; last: number; bytes: number }>();
  for (const [at, { bindings }] of dispatches.entries()) {
    for (const { value } of bindings) {
      if (!planned.places.has(value.id)) continue;
      const life = lives.get(value.id) ?? { first: at, last: at, bytes: byteSize(value) };
      lives.set(value.id, { ...life, last: keep.has(value.id) ? dispatches.length : at });
    }
    const buffersOf = (written: boolean) =>
      bindings
        .filter(({ access }) => (access !== "read") === written)
        .flatMap(({ value }) => planned.places.get(value.id)?.map(({ buffer }) => buffer) ?? []);
    const read = new Set(buffersOf(false));
    expect(buffersOf(true).filter((buffer) => read.has(buffer))).toEqual([]);
  }
  const limit = partBytes(target);
  const stretches = [...lives].flatMap(([id, { first, last, bytes }]) =>
    (planned.places.get(id) ?? []).map(({ buffer, offset }, part) => {
      const end = offset + Math.min(limit, bytes - part * limit);
      expect(offset % target.offsetAlignment).toBe(0);
      expect(end).toBeLessThanOrEqual(planned.buffers[buffer] ?? 0);
      return { buffer, offset, end, first, last };
    }),
  );
  expect(lives.size).toBe(planned.places.size);
  for (const [i, a] of stretches.entries()) {
    const overlapping = stretches
      .slice(i + 1)
      .filter((b) => a.buffer === b.buffer && a.offset < b.end && b.offset < a.end)
      .filter((b) => a.first <= b.last && b.first <= a.last);
    expect(overlapping).toEqual([]);
  }
  expect(planned.bytes).toBe(planned.buffers.reduce((sum, bytes) => sum + bytes, 0));
  expect(planned.bytes).toBeGreaterThanOrEqual(planned.least);
}

test("small tensors lie side by side where a large one was", () => {
  const [large, next, ...small] = [1024, 64, 512, 256, 256].map(tensor) as [Value, Value, ...Value[]];
  const dispatches = [
    dispatch([], [large]),
    dispatch([large], [next]),
    dispatch([next], small),
    dispatch(small, [tensor(64)]),
  ];
  const planned = plan(dispatches, NONE, NONE, DEFAULT_TARGET);
  expectSound(planned, dispatches, NONE, DEFAULT_TARGET);
  expect(planned.bytes).toBe(4 * (1024 + 64));
  expect(planned.least).toBe(4 * (1024 + 64));
});

test("what a dispatch changes in place is kept out of the buffers it reads", () => {
  const [a, b, c] = [256, 256, 512].map(tensor) as [Value, Value, Value];
  const dispatches = [dispatch([], [c]), dispatch([c], [a]), dispatch([a], [b]), dispatch([a], [b], "update")];
  const planned = plan(dispatches, NONE, NONE, DEFAULT_TARGET);
  expectSound(planned, dispatches, NONE, DEFAULT_TARGET);
});

test("tensors that the caller holds have no place, and what is read after the run is not overwritten", () => {
  const [outside, kept, x, y] = [256, 256, 256, 256].map(tensor) as [Value, Value, Value, Value];
  const dispatches = [dispatch([outside], [kept]), dispatch([outside], [x]), dispatch([x], [y])];
  const keep = new Set([kept.id]);
  const planned = plan(dispatches, new Set([outside.id]), keep, DEFAULT_TARGET);
  expectSound(planned, dispatches, keep, DEFAULT_TARGET);
  expect(planned.places.has(outside.id)).toBe(false);
  expect(planned.bytes).toBe(4 * 3 * 256);
});

describe("any dispatches", () => {
  test.each([1, 2, 3, 4])("are planned soundly within the limits of small buffers (%i)", (seed) => {
    const walk = random(seed, "plan");
    const target: Target = { ...DEFAULT_TARGET, bindingLimit: 2048, bufferLimit: 4096 };
    const tensors: Value[] = [];
    const dispatches = Array.from({ length: 150 }, () => {
      const read = tensors.filter(() => walk.uniform() < 3 / (tensors.length + 1)).slice(-4);
      const written = Array.from({ length: 1 + walk.integer(2) }, () => tensor(1 + walk.integer(1500)));
      tensors.push(...written);
      if (tensors.length > 12) tensors.shift();
      return dispatch(read, written);
    });
    const keep = new Set(tensors.slice(0, 2).map(({ id }) => id));
    const planned = plan(dispatches, NONE, keep, target);
    expectSound(planned, dispatches, keep, target);
    expect(Math.max(...planned.buffers)).toBeLessThanOrEqual(4096);
    expect(planned.bytes / planned.least).toBeLessThan(1.3);
  });
});

describe.each(["svanet", "unet", "deeplabv3"])("%s", (name) => {
  const config = fitted(fromZoo(name).config, { classes: 2, height: 128, width: 128 });

  test("trains in little more than what lives at once", () => {
    const { graph, keep, placed } = tracedStep(config, 2).trace;
    const dispatches = lower(graph, DEFAULT_TARGET);
    const stored = [...graph.inputs.values(), ...graph.stored].map(({ id }) => id);
    const outside = new Set([...stored, ...[...placed.keys()].map((id) => graph.root(id))]);
    const kept = new Set(keep.map(({ id }) => graph.root(id)));
    const planned = plan(dispatches, outside, kept, DEFAULT_TARGET);
    expectSound(planned, dispatches, kept, DEFAULT_TARGET);
    expect(planned.bytes / planned.least).toBeLessThan(1.05);
  });

  test("infers in not much more than what lives at once", () => {
    const { graph, keep } = inferenceTrace(config, { batch: 1 });
    const dispatches = lower(graph, DEFAULT_TARGET);
    const outside = new Set([...graph.inputs.values(), ...graph.stored].map(({ id }) => id));
    const kept = new Set(keep.map(({ id }) => graph.root(id)));
    const planned = plan(dispatches, outside, kept, DEFAULT_TARGET);
    expectSound(planned, dispatches, kept, DEFAULT_TARGET);
    expect(planned.bytes / planned.least).toBeLessThan(1.3);
  });
});

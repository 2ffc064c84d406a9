import { describe, expect, test, vi } from "vitest";
import { cutEvenly, headStart, Pace, Submits } from "../../../src/kernels/compile/submits.ts";
import type { Bound } from "../../../src/kernels/compile/timestamps.ts";
import type { Device } from "../../../src/kernels/device/device.ts";

describe("the pace of a program", () => {
  test("is one submit on a driver that no watchdog looks after, and is never measured", () => {
    const pace = new Pace(Number.POSITIVE_INFINITY);
    expect([pace.parts, pace.isMeasuring]).toEqual([1, false]);
  });

  test("begins careful, and is one submit once a run turns out short", () => {
    const pace = new Pace(500);
    expect([pace.parts, pace.isMeasuring]).toEqual([8, true]);
    pace.measured(500);
    expect(pace.parts).toBe(1);
  });

  test("splits long runs into submits of half of what is allowed, by the last of the first three runs", () => {
    const pace = new Pace(500);
    for (const milliseconds of [9000, 3000, 2600]) pace.measured(milliseconds);
    expect([pace.parts, pace.isMeasuring]).toEqual([11, false]);
  });
});

test("work is cut into pieces of about one sum, all of it, none empty", () => {
  expect(cutEvenly([1, 1, 1, 1, 1, 1], 3)).toEqual([2, 4, 6]);
  expect(cutEvenly([9, 1, 1, 1], 2)).toEqual([1, 4]);
  expect(cutEvenly([1, 1], 8)).toEqual([1, 2]);
  expect(cutEvenly([5], 3)).toEqual([1]);
});

test("a run begins with a short submit, and each that follows is twice as long", () => {
  expect(headStart(700)).toEqual([64, 192, 448, 700]);
  expect(headStart(65)).toEqual([64, 65]);
  expect(headStart(64)).toEqual([64]);
  expect(headStart(0)).toEqual([0]);
});

/** What is encoded into the passes of a program, a list of words a submit. */
function recorded(bound: readonly Bound[]): { readonly submits: Submits; readonly said: string[][] } {
  const said: string[][] = [];
  const createCommandEncoder = () => {
    const words: string[] = [];
    const pass = {
      setPipeline: (pipeline: unknown) => words.push(`pipeline ${pipeline}`),
      setBindGroup: (_: number, group: unknown) => words.push(`group ${group}`),
      dispatchWorkgroups: (...counts: number[]) => words.push(counts.join("x")),
      end: () => undefined,
    };
    return { beginComputePass: () => pass, finish: () => words };
  };
  const queue = { submit: (commands: string[][]) => said.push(...commands) };
  const device = { gpu: { features: new Set(), queue, createCommandEncoder } } as unknown as Device;
  const origins = bound.map(() => ({ label: "conv", path: "", macs: 1 }));
  const patience = { submit: Number.POSITIVE_INFINITY, dispatch: Number.POSITIVE_INFINITY };
  return { submits: new Submits(device, "evaluation", { bound, origins }, patience), said };
}

const dispatchOf = (pipeline: string, group: string) =>
  ({ pipeline, group, workgroups: [3, 1, 1] }) as unknown as Bound;

test("a pipeline is set where another one was, and again in each submit", () => {
  const few = recorded([dispatchOf("a", "1"), dispatchOf("a", "2"), dispatchOf("b", "3"), dispatchOf("a", "4")]);
  few.submits.run([]);
  const words = "pipeline a, group 1, 3x1x1, group 2, 3x1x1, pipeline b, group 3, 3x1x1, pipeline a, group 4, 3x1x1";
  expect(few.said).toEqual([words.split(", ")]);
  const many = recorded(Array.from({ length: 70 }, (_, i) => dispatchOf("a", String(i))));
  many.submits.run([]);
  expect(many.said.map(([first, second]) => [first, second])).toEqual([
    ["pipeline a", "group 0"],
    ["pipeline a", "group 64"],
  ]);
  expect(many.said.map(({ length }) => length)).toEqual([1 + 2 * 64, 1 + 2 * 6]);
});

test("the host's time of a run is told by its parts, all of it in one submit", () => {
  const { submits, said } = recorded(Array.from({ length: 70 }, (_, i) => dispatchOf("a", String(i))));
  const { encode, submit } = submits.hostTime();
  expect(said.map(({ length }) => length)).toEqual([1 + 2 * 70]);
  expect(encode).toBeGreaterThan(0);
  expect(submit).toBeGreaterThanOrEqual(0);
});

test("work is cut to its end whatever the rounding of its costs", () => {
  for (let n = 1; n < 500; n++) {
    const costs = Array.from({ length: 11 }, () => n / 7.3);
    for (const parts of [3, 5, 7, 11]) expect(cutEvenly(costs, parts).at(-1)).toBe(11);
  }
});

/** Runs a program of three dispatches four times on a GPU without timestamps that takes `milliseconds` for a submit. */
async function runSlowly(milliseconds: number): Promise<string[]> {
  vi.useFakeTimers();
  const said: string[] = [];
  let free = 0;
  const wait = () => new Promise((done) => setTimeout(done, free - performance.now()));
  const queue = {
    submit: () => (free = Math.max(free, performance.now()) + milliseconds),
    onSubmittedWorkDone: wait,
  };
  const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} };
  const createCommandEncoder = () => ({ beginComputePass: () => pass, finish() {} });
  const gpu = { features: new Set(), queue, createCommandEncoder };
  const device = { gpu, notice: (_: string, text: string) => said.push(text) } as unknown as Device;
  const bound = Array.from({ length: 3 }, () => ({ workgroups: [1, 1, 1] }) as unknown as Bound);
  const origins = [10, 90, 20].map((macs, i) => ({ label: "conv", path: `layer${i}`, macs }));
  const submits = new Submits(device, "training step", { bound, origins }, { submit: 500, dispatch: 100 });
  for (let run = 0; run < 4; run++) {
    submits.run([]);
    await vi.advanceTimersByTimeAsync(10_000);
  }
  vi.useRealTimers();
  return said;
}

test("without timestamps a submit that stays long is told by its largest dispatch", async () => {
  expect(await runSlowly(450)).toEqual([]);
  expect((await runSlowly(700))[0]).toMatch(
    /^training step: conv in layer\d took most of a submit of 700 ms; a display driver may reset a GPU/,
  );
});

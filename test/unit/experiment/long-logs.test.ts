import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { frame } from "../../../src/experiment/run/event-frames.ts";
import { cutMetrics, readMetrics } from "../../../src/experiment/run/metrics-log.ts";
import { cutEvents, EventWriter, readEvents } from "../../../src/experiment/run/tfevents.ts";

const scratch = mkdtempSync(join(tmpdir(), "svanet-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A file of 48 GiB that takes no room: nothing stands in it but what is appended. */
function sparse(name: string): string {
  const path = join(scratch, name);
  const file = openSync(path, "w");
  ftruncateSync(file, 48 * 2 ** 30);
  closeSync(file);
  return path;
}

/** The last bytes of a file. */
function ending(path: string, bytes: number): string {
  const out = Buffer.alloc(bytes);
  const file = openSync(path, "r");
  readSync(file, out, 0, bytes, statSync(path).size - bytes);
  closeSync(file);
  return out.toString("utf8");
}

const row = (step: number) => `${JSON.stringify({ step, kind: "train", note: "x".repeat(2000) })}\n`;
const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => row(from + at)).join("");

/** Processor time of `work` in seconds: to read 48 GiB takes ten times the second that tests allow. */
function secondsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

test("of a log of 48 GiB only its end is read, and cut off in place", () => {
  const path = sparse("metrics.jsonl");
  const torn = '{"step":3001,"ki';
  appendFileSync(path, `\n${rows(1, 3000)}${torn}`); // 6 MB: more than one piece of the end
  const { ino, size } = statSync(path);
  const cut = join(scratch, "metrics.cut");
  let note: string | null = null;
  expect(secondsOf(() => (note = cutMetrics(path, 1000, cut)))).toBeLessThan(1);
  expect(note).toBe(`${path}: 2000 rows after step 1000 moved to ${cut}`);
  expect(readFileSync(cut, "utf8")).toBe(rows(1001, 3000));
  const after = statSync(path);
  expect([after.ino, after.size]).toEqual([ino, size - rows(1001, 3000).length - torn.length]);
  expect(ending(path, row(1000).length + 1)).toBe(`\n${row(1000)}`);
  expect(cutMetrics(path, 1000, cut)).toBe(null);
  expect(statSync(path).size).toBe(after.size);
});

test("of curves of 48 GiB only the end is read, and cut off in place", () => {
  const path = sparse("events");
  const writer = new EventWriter(path);
  const padding = "x".repeat(20_000);
  const sizes = Array.from({ length: 400 }, (_, at) => {
    const before = statSync(path).size;
    writer.add(at + 1, { [padding]: at });
    return statSync(path).size - before;
  });
  const { ino, size } = statSync(path);
  const cut = join(scratch, "events.cut");
  let note: string | null = null;
  expect(secondsOf(() => (note = cutEvents(path, 300, cut)))).toBeLessThan(1);
  expect(note).toBe(`${path}: 100 events after step 300 moved to ${cut}`);
  expect([...readEvents(cut)].map(({ step }) => step)).toEqual(Array.from({ length: 100 }, (_, at) => 301 + at));
  const moved = sizes.slice(300).reduce((sum, one) => sum + one, 0);
  expect([statSync(path).ino, statSync(path).size]).toEqual([ino, size - moved]);
});

test("a log of 80 MB is read a piece at a time", () => {
  const path = join(scratch, "rows.jsonl");
  const block = Array.from({ length: 1000 }, () => row(1)).join("");
  for (let piece = 0; piece < 40; piece++) appendFileSync(path, block);
  let [steps, most] = [0, 0];
  for (const { step } of readMetrics(path)) {
    steps += step;
    if (steps % 1000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  expect(steps).toBe(40_000);
  expect(most).toBeLessThan(60 << 20);
});

test("where nothing can be kept beside it, the log stays as it was", () => {
  const path = join(scratch, "whole.jsonl");
  writeFileSync(path, rows(1, 3));
  mkdirSync(join(scratch, "whole.cut"));
  expect(() => cutMetrics(path, 1, join(scratch, "whole.cut"))).toThrow("EISDIR");
  expect(readFileSync(path, "utf8")).toBe(rows(1, 3));
});

test("a link in the place of a log is replaced, and what it leads to is left alone", () => {
  const [target, path] = [join(scratch, "elsewhere"), join(scratch, "linked.jsonl")];
  writeFileSync(target, rows(1, 3));
  symlinkSync(target, path);
  cutMetrics(path, 1, join(scratch, "linked.cut"));
  expect(readFileSync(target, "utf8")).toBe(rows(1, 3));
  expect(readFileSync(path, "utf8")).toBe(row(1));
});

test.skipIf(process.platform === "win32")("a pipe in the place of a log is refused, not waited for", () => {
  const path = join(scratch, "pipe");
  execFileSync("mkfifo", [path]);
  for (const cut of [cutMetrics, cutEvents]) {
    expect(() => cut(path, 1, join(scratch, "pipe.cut"))).toThrow(`${path}: is a pipe or a device, not a file`);
  }
});

test("an event of numbers without end ends, and takes no time", () => {
  const path = join(scratch, "endless");
  writeFileSync(path, frame(Buffer.alloc(1_000_000, 0xff)));
  new EventWriter(path).add(1, { loss: 2 });
  expect(secondsOf(() => expect([...readEvents(path)].map(({ step }) => step)).toEqual([1]))).toBeLessThan(1);
});

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { FileIndex, INDEX_VERSION } from "../../../src/data/dataset/file-index.ts";
import { JOURNAL_NAME, readJournal } from "../../../src/data/prepare/journal.ts";
import { DataError } from "../../../src/errors.ts";
import { changedFiles, readDataRecord } from "../../../src/experiment/run/data-index.ts";
import { frame } from "../../../src/experiment/run/event-frames.ts";
import { cutMetrics, readMetrics } from "../../../src/experiment/run/metrics-log.ts";
import { readRunConfig } from "../../../src/experiment/run/run-folder.ts";
import { lockRun } from "../../../src/experiment/run/run-lock.ts";
import { cutEvents, EventWriter, readEvents } from "../../../src/experiment/run/tfevents.ts";
import type { FuzzTarget } from "../target.ts";

/** What a run or a prepared set keeps beside itself; its readers put up with damage, so a target says what was lost. */
const JSON_WORDS = ['"__proto__":{', "null", "1e999", "[]", "{}", "[[[[", '"\\ud800"', "../", "\n", ","];

const room = (folder: string): string => {
  const place = join(folder, "fuzzed");
  mkdirSync(place, { recursive: true });
  return place;
};

function lost(what: string): never {
  throw new DataError(`fuzzed: ${what}`);
}

/** Cuts a log twice: the second time there must be nothing left to do, and nothing may have come into being. */
function cutTwice(place: string, bytes: Buffer, cut: (path: string, step: number, aside: string) => string | null) {
  const [path, aside] = [join(place, "log"), join(place, "aside")];
  rmSync(aside, { force: true });
  writeFileSync(path, bytes);
  const note = cut(path, 2, aside);
  const after = readFileSync(path);
  const moved = note === null ? 0 : readFileSync(aside).length;
  if (after.length + moved > bytes.length) throw new Error("the log and what was cut are more than there was");
  if (cut(path, 2, aside) !== null || !readFileSync(path).equals(after)) throw new Error("a second cut finds more");
  return { path, note, torn: bytes.length - after.length - moved };
}

const ROWS = [1, 2, 3].map((step) => `${JSON.stringify({ step, kind: "train", loss: 1 / step })}\n`).join("");

function eventSeeds(): Buffer[] {
  const place = join(process.env["TMPDIR"] ?? "/tmp", `svanet-fuzz-${process.pid}.events`);
  const writer = new EventWriter(place);
  for (const step of [1, 2]) writer.add(step, { "train/loss": 1 / step, "val/mIoU": 60 });
  const bytes = readFileSync(place);
  rmSync(place);
  return [bytes];
}

/** Every frame with its checksums made right, as far as frames can be told by their lengths. */
function resealedFrames(bytes: Buffer): Buffer {
  for (let at = 0; at + 16 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (at + 16 + length > bytes.length) break;
    bytes.set(frame(bytes.subarray(at + 12, at + 12 + length)), at);
    at += 16 + length;
  }
  return bytes;
}

const RECORD = {
  ...{ version: 1, mean: [0.1, 0.2, 0.3], std: [0.1, 0.2, 0.3] },
  files: [
    ["train/a.png", "ab".repeat(32)],
    ["train/b.png", "cd".repeat(32)],
  ],
};

const CONFIG = "data: set\nout: run\nbatchSize: 4\nlr: 0.001\nsize: 64\nseed: 7\naugment: [flip, rotation]\n";

/** A process number that no system gives. */
const DEAD = 2 ** 22 + 1;

const ENTRY = {
  ...{ size: 8, time: 1, changed: 1, sha256: "ab".repeat(32) },
  facts: { kind: "mask", width: 4, height: 2, mode: "grey", depth: 8, labels: [[0, 8]], content: "x" },
};

const JOURNAL = [
  { fingerprint: "ab12" },
  { key: "train/a", files: ["train/a.png", "train/a_mask.png"], notes: [], classes: [] },
  { key: "val/b", files: ["val/b.png"], notes: ["window -160 to 240"], classes: [{ label: 0, pixels: 4, images: 1 }] },
]
  .map((line) => `${JSON.stringify(line)}\n`)
  .join("");

export const RUN_TARGETS: readonly FuzzTarget[] = [
  {
    name: "metrics-log",
    seeds: () => [Buffer.from(ROWS.slice(0, ROWS.indexOf('{"step":3')))],
    head: 400,
    words: [...JSON_WORDS, '"step":', '"kind":', ROWS],
    writes: ["fuzzed"],
    flushes: true,
    run(bytes, folder) {
      const { path, note, torn } = cutTwice(room(folder), bytes, cutMetrics);
      if (torn !== bytes.length - 1 - bytes.lastIndexOf(10)) throw new Error(`${torn} bytes are lost`);
      for (const { step } of readMetrics(path)) if (step > 2) throw new Error(`step ${step} is left`);
      if (note !== null) lost(note);
    },
  },
  {
    name: "events",
    seeds: eventSeeds,
    head: 300,
    words: ["\xff".repeat(40), "\x1a\x0dbrain.Event:2", "\x2a", "\x0a", "\x15", "\x10\x03"],
    writes: ["fuzzed"],
    flushes: true,
    reseal: resealedFrames,
    run(bytes, folder) {
      const { path, note } = cutTwice(room(folder), bytes, cutEvents);
      for (const { step, values } of readEvents(path)) {
        if (step > 2 && values.size > 0) throw new Error(`step ${step} is left`);
      }
      if (note !== null) lost(note);
    },
  },
  {
    name: "lock",
    seeds: () => [Buffer.from(JSON.stringify({ pid: DEAD, host: hostname(), started: "1" }))],
    head: 100,
    words: [...JSON_WORDS, '"pid":', '"host":', "-1", "4294967296"],
    writes: ["fuzzed"],
    run(bytes, folder) {
      writeFileSync(join(room(folder), "lock"), bytes);
      lockRun(join(folder, "fuzzed")).release();
    },
  },
  {
    name: "data-record",
    seeds: () => [Buffer.from(JSON.stringify(RECORD))],
    head: 400,
    words: [...JSON_WORDS, '"files":', "ab".repeat(32)],
    writes: ["fuzzed.json"],
    run(bytes, folder) {
      const file = join(folder, "fuzzed.json");
      writeFileSync(file, bytes);
      const record = readDataRecord(file);
      if (record === undefined || record === "damaged") lost("damaged");
      else changedFiles(record.files, new Map([["train/a.png", "cd".repeat(32)]]));
    },
  },
  {
    name: "run-config",
    seeds: () => [Buffer.from(CONFIG)],
    head: 200,
    words: ["&a ", "*a", "<<: *a", "__proto__: ", "!!binary ", "- ", ": ", "|\n", "---\n", "[[[[", "0x", ".inf", "~"],
    writes: ["fuzzed"],
    run(bytes, folder) {
      writeFileSync(join(room(folder), "config.yaml"), bytes);
      readRunConfig(join(folder, "fuzzed"));
    },
  },
  {
    name: "journal",
    seeds: () => [Buffer.from(JOURNAL)],
    head: 250,
    words: [...JSON_WORDS, '"files":', '"key":', "../../", "C:\\\\"],
    writes: ["fuzzed"],
    async run(bytes, folder) {
      writeFileSync(join(room(folder), JOURNAL_NAME), bytes);
      const { entries = new Map() } = (await readJournal(join(folder, "fuzzed"))) ?? {};
      if (entries.size < 2) lost("entries are lost");
    },
  },
  {
    name: "file-index",
    seeds: () => [Buffer.from(JSON.stringify({ version: INDEX_VERSION, files: { "fuzzed.png": ENTRY } }))],
    head: 350,
    words: [...JSON_WORDS, '"facts":', '"kind":"image"', '"sums":[1,2,3]', '"fuzzed.png":'],
    writes: ["fuzzed.json", "fuzzed.png"],
    async run(bytes, folder) {
      writeFileSync(join(folder, "fuzzed.json"), bytes);
      writeFileSync(join(folder, "fuzzed.png"), Buffer.alloc(ENTRY.size));
      const index = await FileIndex.open(join(folder, "fuzzed.json"), folder);
      await index.facts(join(folder, "fuzzed.png"), "mask", async ({ known }) =>
        known === undefined ? lost("the entry is lost") : { sha256: known, facts: undefined },
      );
    },
  },
];

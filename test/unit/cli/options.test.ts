import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { Command } from "commander";
import { expect, test, vi } from "vitest";
import { addTrainOptions, givenFields, trainConfigFrom } from "../../../src/cli/options.ts";
import { valueText } from "../../../src/cli/plan-lines.ts";
import { planAdvice } from "../../../src/cli/planned-run.ts";
import { formatTable } from "../../../src/cli/print.ts";
import { createProgress, formatDuration } from "../../../src/cli/progress.ts";
import { TRAIN_DEFAULTS } from "../../../src/experiment/settings/config.ts";
import { catchPrinted } from "../../support/printed.ts";

function parse(...args: string[]) {
  const command = addTrainOptions(new Command()).exitOverride();
  return trainConfigFrom(command.parse(["--data", "d", "--out", "o", ...args], { from: "user" }).opts());
}

test("no flags give the defaults", () => {
  expect(parse()).toEqual({ ...TRAIN_DEFAULTS, data: "d", out: "o", lr: 2e-3 });
});

test("a flag can be given bare, as an empty list, or as on", () => {
  expect(parse("--resume").resume).toBe(true);
  expect(parse("--augment", "none").augment).toEqual([]);
  expect(parse("--former-before", "on").formerBefore).toBe(true);
});

test("what is given is what flags or the file say", () => {
  const file = join(mkdtempSync(join(tmpdir(), "svanet-given-")), "run.yaml");
  writeFileSync(file, "size: 64\nepochs: 3\n");
  const given = givenFields({ data: "d", steps: 5, width: undefined, memory: 7, config: file });
  rmSync(dirname(file), { recursive: true });
  expect([...given].sort()).toEqual(["data", "epochs", "size", "steps"]);
});

test("a planned value reads as its flag takes it", () => {
  expect([5, [1, 2.5], { classifier: 10, "encoder.stem": 0 }].map(valueText)).toEqual([
    "5",
    "1,2.5",
    "classifier=10,encoder.stem=0",
  ]);
});

test("a plan is advised once for one's own images, where nobody has chosen how they are shown", () => {
  const own = { folder: "cells", source: undefined };
  expect(planAdvice({ data: "cells", width: 8 }, own)).toBe(
    "to plan training for these images instead, small objects first: --recipe auto (svanet plan cells shows it)",
  );
  expect(planAdvice({}, { ...own, source: "folder" })).toBeDefined();
  for (const source of ["kits23", "spermhealth"]) expect(planAdvice({}, { ...own, source })).toBeUndefined();
  for (const name of ["recipe", "size", "patches", "config", "resume"]) {
    expect(planAdvice({ [name]: "x" }, own)).toBeUndefined();
  }
});

test("a flag that is no number is refused by name", () => {
  for (const wrong of ["", " 4", "0x10", "Infinity"])
    expect(() => parse("--batch-size", wrong)).toThrow("--batch-size: ");
  expect(() => parse("--batch-size", "four")).toThrow(
    '--batch-size: "four" does not fit: expected number, received string',
  );
  for (const wrong of ["head", "head=many", "head="]) {
    expect(() => parse("--layer-rates", wrong)).toThrow("--layer-rates: ");
    expect(() => parse("--layer-rates", wrong)).toThrow("does not fit: expected a factor, such as encoder=0.1");
  }
});

test("the help says what an omitted flag means, and where it means something else", () => {
  const help = addTrainOptions(new Command()).helpInformation().replace(/\s+/g, " ");
  expect(help).toContain("(default: 0.03; nnunet: 0.00003)");
  expect(help).toContain("(default: 512; nnunet's is planned for the images)");
  expect(help).toContain("poly: 0.01; nnunet: 0.01)");
  expect(help).not.toContain("undefined");
  expect(help).not.toContain("[object");
});

test("table columns line up, numbers to the right", () => {
  const table = formatTable(
    [
      { title: "name", cell: (row: { name: string; value: number }) => row.name },
      { title: "MACs", align: "right", cell: ({ value }) => String(value) },
    ],
    [
      { name: "a", value: 12345 },
      { name: "longer", value: 7 },
    ],
  );
  expect(table).toBe(["name     MACs", "------  -----", "a       12345", "longer      7"].join("\n"));
});

test("a cell cannot break its table nor give orders to the terminal", () => {
  const table = formatTable([{ title: "na\u0007me", cell: (row: string) => row }], ["a\nb", "\u001b[2Jc"]);
  expect(table).toBe(["na\\x07me", "--------", "a\\x0ab", "\\x1b[2Jc"].join("\n"));
});

test("durations read like a clock", () => {
  expect([4.4, 187, 7500].map(formatDuration)).toEqual(["4 s", "3:07 min", "2:05 h"]);
});

test("a log file gets a line at the end, not one for every step", () => {
  const lines = catchPrinted();
  const progress = createProgress({ label: "train", total: 3, terminal: false });
  for (const step of [1, 2, 3]) progress.update(step, { loss: "0.5" });
  progress.stop();
  vi.restoreAllMocks();
  expect(lines).toEqual(["train 3/3 loss 0.5"]);
});

const HOSTILE = { label: "a\u001b]0;title\u0007{value}\nb", shown: "a\\x1b]0;title\\x07{value}\\x0ab" };

test("labels and figures of a log file are harmless", () => {
  const lines = catchPrinted();
  const progress = createProgress({ label: HOSTILE.label, total: 1, terminal: false });
  progress.update(1, { "\u009bof": "x\u202egnp\n" });
  vi.restoreAllMocks();
  expect(lines).toEqual([`${HOSTILE.shown} 1/1 \\x9bof x\\u202egnp\\x0a`]);
});

test("labels and figures of a bar are harmless, and braces in them mean nothing", () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 200, cursorTo() {}, clearLine() {} });
  const progress = createProgress({ label: HOSTILE.label, total: 7, terminal: true, stream: terminal });
  progress.update(5, { of: "\u001b[31mred{total}" });
  progress.stop();
  const drawn = String(terminal.read());
  expect(drawn).toContain(`${HOSTILE.shown} `);
  expect(drawn).toContain("5/7  of \\x1b[31mred{total}");
  expect(drawn).not.toContain("\u001b]0;");
  expect(drawn).not.toContain("\u001b[31m");
});

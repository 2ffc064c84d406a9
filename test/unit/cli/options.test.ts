import { Command } from "commander";
import { expect, test, vi } from "vitest";
import { addTrainOptions, trainConfigFrom } from "../../../src/cli/options.ts";
import { formatTable } from "../../../src/cli/print.ts";
import { createProgress, formatDuration } from "../../../src/cli/progress.ts";
import { TRAIN_OPTIONS } from "../../../src/cli/train-options.ts";
import { flagOf, TRAIN_DEFAULTS, TRAIN_FIELDS } from "../../../src/experiment/settings/config.ts";

function parse(...args: string[]) {
  const command = addTrainOptions(new Command()).exitOverride();
  return trainConfigFrom(command.parse(["--data", "d", "--out", "o", ...args], { from: "user" }).opts());
}

test("no flags give the defaults", () => {
  expect(parse()).toEqual({ ...TRAIN_DEFAULTS, data: "d", out: "o" });
});

test("every flag reaches its field", () => {
  const config = parse(
    ...["--size", "256x128", "--batch-size", "2", "--lr", "2e-3", "--betas", "0.8,0.99", "--augment", "flip,blur"],
    ...["--encoder", "mini", "--steps", "300", "--optimizer", "sgd", "--adapter", "llvmpipe", "--resume", "auto"],
  );
  expect(config).toMatchObject({
    size: { width: 256, height: 128 },
    batchSize: 2,
    lr: 0.002,
    betas: [0.8, 0.99],
    augment: ["flip", "blur"],
    encoder: "mini",
    steps: 300,
    optimizer: "sgd",
    adapter: "llvmpipe",
    resume: "auto",
  });
  expect(parse("--resume").resume).toBe(true);
  expect(parse("--layer-rates", "enc.0=0.1, head=10").layerRates).toEqual({ "enc.0": 0.1, head: 10 });
  expect(parse("--augment", "none").augment).toEqual([]);
});

test("a flag that is no number is refused by name", () => {
  expect(() => parse("--batch-size", "four")).toThrow(
    '--batch-size: "four" does not fit: expected number, received string',
  );
  for (const wrong of ["head", "head=many", "head="]) {
    expect(() => parse("--layer-rates", wrong)).toThrow("--layer-rates: ");
    expect(() => parse("--layer-rates", wrong)).toThrow("does not fit: expected a factor, such as encoder=0.1");
  }
});

test("the help names every field and its default", () => {
  const help = addTrainOptions(new Command()).helpInformation();
  for (const field of TRAIN_FIELDS) expect(help).toContain(`${flagOf(field)} ${TRAIN_OPTIONS[field].argument}`);
  expect(help).toContain("(default: 0.03)");
  expect(help).not.toContain("undefined");
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

test("durations read like a clock", () => {
  expect([4.4, 187, 7500].map(formatDuration)).toEqual(["4 s", "3:07 min", "2:05 h"]);
});

test("a log file gets a line at the end, not one for every step", () => {
  const lines: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
  const progress = createProgress({ label: "train", total: 3, terminal: false });
  for (const step of [1, 2, 3]) progress.update(step, { loss: "0.5" });
  progress.stop();
  spy.mockRestore();
  expect(lines).toEqual(["train 3/3 loss 0.5"]);
});

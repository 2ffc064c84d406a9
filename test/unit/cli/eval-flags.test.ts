import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkEvalFlags, dataOf, type EvalFlags, isPaperRun, sizeOf } from "../../../src/cli/commands/eval-flags.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig, writeConfig } from "../../../src/experiment/settings/config.ts";

const flags = (more: Partial<EvalFlags> = {}): EvalFlags => ({ split: "val", overlays: 0, roc: false, ...more });

test("images are scored at their own size unless the paper's way is asked for", () => {
  expect(sizeOf(flags())).toBe("native");
  expect(sizeOf(flags({ recipe: "paper" }))).toBe("trained");
  expect(sizeOf(flags({ at: "trained" }))).toBe("trained");
  checkEvalFlags(flags({ tile: 64, tta: true, at: "native" }));
});

test.each([
  [{ recipe: "paper", at: "native" }, "--recipe paper scores at the trained size"],
  [{ at: "trained", tile: true }, "--tile: images are stretched whole to the trained size"],
  [{ recipe: "paper", tta: true }, "--tta: images are stretched whole to the trained size"],
  [{ split: "train", choosePostprocess: true }, "--choose-postprocess with --split train: rules are chosen on val"],
  [{ postprocess: true, choosePostprocess: true }, "choose first, then apply"],
  [{ separate: 1, chooseSeparate: true }, "--choose-separate and --separate: choose first, then apply"],
  [{ split: "test", chooseSeparate: true }, "--choose-separate with --split test: depths are chosen on val"],
  [{ separate: true, at: "trained" }, "--separate: objects are compared at the images' own size"],
  [{ chooseSeparate: true, extended: false }, "--choose-separate: --no-extended leaves single objects out"],
] as const)("refuses %j", (more, sentence) => {
  expect(() => checkEvalFlags(flags(more))).toThrow(sentence);
});

test("the data set is the run's own where none is given", () => {
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  const paths = runPaths(join(folder, "run"));
  mkdirSync(paths.checkpoints, { recursive: true });
  expect(() => dataOf(flags(), paths.best)).toThrow(`--data is missing: ${paths.best} lies in no run`);
  const data = join(folder, "set");
  writeConfig(paths.config, resolveConfig({ data, out: paths.folder }));
  expect(() => dataOf(flags(), paths.best)).toThrow(
    `names the data set ${data}, which is not there from here: give --data`,
  );
  mkdirSync(data);
  expect(isPaperRun(paths.best)).toBe(false);
  writeConfig(paths.config, resolveConfig({ data, out: paths.folder, recipe: "paper" }));
  expect(isPaperRun(paths.best)).toBe(true);
  expect(dataOf(flags(), paths.best)).toBe(data);
  writeFileSync(paths.config, "torn");
  expect(isPaperRun(paths.best)).toBe(false);
  expect(dataOf(flags({ data: "other" }), paths.best)).toBe("other");
});

import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readRunConfig, runPaths } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig, type TrainFlags, writeConfig } from "../../../src/experiment/settings/config.ts";
import { readConfigFile } from "../../../src/experiment/settings/config-file.ts";
import {
  bestByOf,
  lossSettings,
  networkConfig,
  recipeText,
  scheduleOf,
} from "../../../src/experiment/settings/recipe.ts";
import { resolvedConfig } from "../../../src/experiment/settings/resolved.ts";
import { checkSameRecipe } from "../../../src/experiment/train/resume.ts";
import { weighted } from "../../../src/model/losses.ts";
import { ABLATIONS } from "../../../src/model/svanet/ablations.ts";
import { PRESET_NAMES } from "../../../src/model/svanet/config.ts";
import { traceNetwork, ZOO } from "../../../src/model/zoo.ts";

const PATHS = { data: "d", out: "o", size: "64" };
const configOf = (flags: TrainFlags) => resolveConfig({ ...PATHS, ...flags });

/** The configuration as config.yaml gives it back. */
function throughFile(config: ReturnType<typeof configOf>) {
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  const { config: path } = runPaths(folder);
  writeConfig(path, config);
  return { text: readFileSync(path, "utf8"), config: readRunConfig(folder) };
}

const NETWORKS: TrainFlags[] = [
  ...PRESET_NAMES.flatMap((preset) => [{ preset }, { preset, encoder: "mini", width: 8 }]),
  ...Object.keys(ABLATIONS).map((ablation) => ({ ablation, encoder: "mini", width: 4 })),
  ...ZOO.map(({ name }) => ({ model: name })).filter(({ model }) => !(PRESET_NAMES as string[]).includes(model)),
];

describe("a resolved configuration", () => {
  test.each(NETWORKS)("%j gives the same network, rate and loss, and reads back from its file", (flags) => {
    const config = configOf(flags);
    const network = networkConfig(config, 3);
    const { config: read } = throughFile(resolvedConfig(config, network));
    expect(networkConfig(read, 3)).toEqual(network);
    expect(resolvedConfig(read, network)).toEqual(read);
    expect(scheduleOf(read, 100)).toEqual(scheduleOf(config, 100));
    const { heads } = traceNetwork(network, { mode: "train", batch: 2 });
    expect(weighted(heads, lossSettings(read, network).headWeights).map(({ weight }) => weight)).toEqual(
      heads.map(({ weight }) => weight),
    );
    // Given by a default or in words, it is one recipe; another rate is another.
    const facts = { config: network, progress: { recipe: recipeText(config) } } as never;
    checkSameRecipe(read, network, facts);
    expect(() => checkSameRecipe({ ...read, lr: 0.5 }, network, facts)).toThrow(/recipe \(lr \S+, now 0\.5\)/);
  });

  test("is written without nulls", () => {
    const config = configOf({ encoder: "mini", width: 8 });
    const { text } = throughFile(resolvedConfig(config, networkConfig(config, 2)));
    expect(text).not.toContain("null");
    for (const line of ["bestBy: foreground-dice", "classes: 2", "link: concat", "freezeEpochs: 0", "width: 8"]) {
      expect(text).toContain(`\n${line}\n`);
    }
  });
});

test("a run of before there was a choice goes on by mIoU, as the paper; a new one chooses by foreground Dice", () => {
  expect(bestByOf(configOf({}))).toBe("foreground-dice");
  expect(bestByOf(configOf({ recipe: "paper" }))).toBe("miou");
  expect(bestByOf(configOf({ recipe: "paper", bestBy: "foreground-dice" }))).toBe("foreground-dice");
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  // Nulls, as older versions wrote them.
  writeFileSync(runPaths(folder).config, "data: d\nout: o\nencoder: mini\nlr: null\nsize: 64\nwidth: null\n");
  const old = readRunConfig(folder);
  expect([bestByOf(old), scheduleOf(old, 100).high]).toEqual(["miou", 5e-5]);
  expect(bestByOf(resolveConfig({}, readConfigFile(runPaths(folder).config)))).toBe("foreground-dice");
  const network = networkConfig(old, 2);
  const { recipe: _recipe, bestBy: _bestBy, ...older } = JSON.parse(recipeText(old));
  const facts = { config: network, progress: { recipe: JSON.stringify(older) } } as never;
  checkSameRecipe(old, network, facts);
  expect(() => checkSameRecipe({ ...old, bestBy: "foreground-dice" }, network, facts)).toThrow(
    'bestBy "miou", now "foreground-dice"',
  );
});

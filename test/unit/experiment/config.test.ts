import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import {
  flagOf,
  resolveConfig,
  TRAIN_DEFAULTS,
  type TrainFlags,
  writeConfig,
} from "../../../src/experiment/settings/config.ts";
import { parseConfig, readConfigFile } from "../../../src/experiment/settings/config-file.ts";

const PATHS = { data: "d", out: "o" };

test("the defaults are the paper's recipe", () => {
  expect(TRAIN_DEFAULTS).toMatchObject({
    preset: "svanet",
    encoder: null,
    width: null,
    size: { width: 512, height: 512 },
    epochs: 100,
    batchSize: 4,
    schedule: "paper",
    optimizer: "adamw",
    weightDecay: 0.03,
    betas: [0.9, 0.999],
    eps: 1e-8,
    augment: ["resize", "flip", "blur", "distortion", "rotation"],
  });
});

test("nnU-Net has a recipe of its own, which flags and file override", () => {
  expect(resolveConfig({ ...PATHS, model: "nnunet", momentum: 0.9 })).toMatchObject({
    optimizer: "sgd",
    schedule: "poly",
    lr: 1e-2,
    momentum: 0.9,
    weightDecay: 3e-5,
    diceWeight: 1,
  });
  const file = parseConfig("model: nnunet\nschedule: paper\n", "run.yaml");
  expect(resolveConfig(PATHS, file)).toMatchObject({ schedule: "paper", optimizer: "sgd" });
  expect(resolveConfig({ ...PATHS, model: "unet" })).toMatchObject({ optimizer: "adamw", schedule: "paper" });
});

test("flags override the file, the file overrides the defaults", () => {
  const file = parseConfig("batchSize: 8\nlr: 1e-3\nsize: 256x128\n", "run.yaml");
  const config = resolveConfig({ ...PATHS, batchSize: 2, seed: undefined }, file);
  expect(config).toMatchObject({ batchSize: 2, lr: 1e-3, seed: 0, size: { width: 256, height: 128 } });
});

test("an unknown key names its line and the nearest field", () => {
  const file = parseConfig("data: d\nout: o\n# a remark\nbatch-size: 8\n", "run.yaml");
  expect(() => resolveConfig({}, file)).toThrow(
    new UsageError("run.yaml line 4 (batch-size): unknown key. Did you mean batchSize?"),
  );
});

test("a value that does not fit names the flag, or the file and line", () => {
  expect(() => resolveConfig({ ...PATHS, lr: -1 })).toThrow("--lr: -1 does not fit: expected number to be >0");
  expect(() => resolveConfig({ ...PATHS, encoder: "resnet-34" })).toThrow(
    '--encoder: "resnet-34" does not fit: Did you mean resnet34?',
  );
  expect(() => resolveConfig({ ...PATHS, size: "512x" })).toThrow(
    '--size: "512x" does not fit: expected 512 or 512x256 (width x height)',
  );
  expect(() => resolveConfig({ ...PATHS, augment: ["flip", "blurr"] })).toThrow(
    '--augment: "blurr" does not fit: Did you mean blur?',
  );
  expect(() => resolveConfig({ ...PATHS, resume: "yes" })).toThrow(
    '--resume: "yes" does not fit: expected boolean, received string, or auto',
  );
  const file = parseConfig("seed: 1\nepochs: many\n", "run.yaml");
  expect(() => resolveConfig(PATHS, file)).toThrow(
    'run.yaml line 2 (epochs): "many" does not fit: expected number, received string',
  );
});

test("the two folders are required", () => {
  expect(() => resolveConfig({ out: "o" })).toThrow("--data is missing: give the flag, or data: in a --config file");
});

test("broken YAML and a doubled key are refused with their line", () => {
  expect(() => parseConfig("seed: 1\nseed: 2\n", "run.yaml")).toThrow(/^run.yaml line 2: not valid YAML: /);
  expect(() => parseConfig("- a\n", "run.yaml")).toThrow('run.yaml: expected one "key: value" a line');
  expect(parseConfig("", "run.yaml").values).toEqual({});
});

test("a written configuration reads back equal, but for how the process was started", () => {
  const path = join(mkdtempSync(join(tmpdir(), "svanet-")), "config.yaml");
  const config = resolveConfig({
    ...PATHS,
    size: "96x64",
    lr: 5e-5,
    resume: "auto",
    augment: [],
    layerRates: { head: 0 },
  });
  writeConfig(path, config);
  expect(resolveConfig({}, readConfigFile(path))).toEqual({ ...config, resume: false });
});

test("flags are the fields in kebab case", () => {
  expect(flagOf("batchSize")).toBe("--batch-size");
  expect(flagOf("lr")).toBe("--lr");
});

test("a window that is none is refused in words", () => {
  const settings = (window: unknown) => () => resolveConfig({ data: "d", out: "o", window } as TrainFlags);
  expect(settings([5])).toThrow("--window: [5] does not fit: expected two numbers, black and white, such as -160,240");
  expect(settings([5, 1])).toThrow("--window: [5,1] does not fit: expected the lower value first");
});

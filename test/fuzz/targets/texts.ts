import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDatasetYaml } from "../../../src/data/dataset/dataset-yaml.ts";
import { readPostprocess } from "../../../src/experiment/evaluate/postprocess.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { parseConfig } from "../../../src/experiment/settings/config-file.ts";
import type { FuzzTarget } from "../target.ts";

const YAML_WORDS = [
  "&a ",
  "*a",
  "<<: *a",
  "__proto__: ",
  "constructor: ",
  "!!binary ",
  "!!js/function ",
  "? ",
  "- ",
  ": ",
  "|\n",
  ">\n",
  "---\n",
  "[[[[",
  "{a: {",
  "'",
  '"',
  "0x",
  ".inf",
  "~",
];

const texts = (...seeds: readonly string[]) => seeds.map((seed) => Buffer.from(seed));

const DATASET = `name: cells
classes: [background, cell]
colours: [[0, 0, 0], "#ffb000"]
modality: microscopy
mean: [0.5, 0.5, 0.5]
std: [0.2, 0.2, 0.2]
provenance:
  window: { low: -160, high: 240 }
  notes: [one, two]
`;

const BOMB = `a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
name: cells
`;

const CONFIG = `data: set
out: runs/one
batchSize: 4
lr: 1e-3
size: 64
augment: [flip, rotation]
layerRates: { encoder: 0.1 }
`;

const RULES = {
  format: "svanet postprocess 1",
  chosenOn: { data: "set", split: "val", images: 3, checkpoint: "best" },
  rules: [{ class: 1, name: "cell", largest: true, minPercent: 0.1, dice: { before: 80, after: 81 } }],
};

/** Writes the input under its name, which the reader's messages then hold. */
function written(folder: string, name: string, bytes: Buffer): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

export const TEXT_TARGETS: readonly FuzzTarget[] = [
  {
    name: "dataset-yaml",
    seeds: () => texts(DATASET),
    traps: () => texts(BOMB),
    head: 400,
    words: YAML_WORDS,
    writes: ["fuzzed.yaml"],
    run: (bytes, folder) => readDatasetYaml(written(folder, "fuzzed.yaml", bytes)),
  },
  {
    name: "config-yaml",
    seeds: () => texts(CONFIG),
    traps: () => texts(BOMB),
    head: 400,
    words: YAML_WORDS,
    writes: [],
    run: (bytes) => resolveConfig({ data: "set", out: "run" }, parseConfig(bytes.toString("utf8"), "fuzzed.yaml")),
  },
  {
    name: "postprocess",
    seeds: () => texts(JSON.stringify(RULES)),
    head: 300,
    words: ['"class":', "[", "]", "{", "}", "1e999", '"__proto__":'],
    writes: ["fuzzed"],
    run(bytes, folder) {
      mkdirSync(join(folder, "fuzzed"), { recursive: true });
      written(join(folder, "fuzzed"), "postprocess.json", bytes);
      return readPostprocess(join(folder, "fuzzed"), 2);
    },
  },
];

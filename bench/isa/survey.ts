import { networksFrom } from "../../src/cli/networks.ts";
import { CARDS } from "./cards.ts";
import { FAMILIES, type Family } from "./chips.ts";
import { type HotRow, hotRows } from "./hot-table.ts";
import { kernelsOf } from "./kernels.ts";
import type { Tools } from "./machine.ts";
import { byText, type Compiled, compileFor, withLayer } from "./null-device.ts";
import { predict } from "./roofline.ts";

/** The networks whose kernels are watched, in evaluation and in training, at the paper's size and classes. */
const WATCHED = ["svanet", "unet", "svanet-text"];
const SIZE = 512;
const CLASSES = 8;
const TRAINING_BATCH = 4;

/** The card by whose times hot kernels are found. */
const JUDGE = CARDS.xtx;

/** What the compiler makes of all watched kernels for one family. */
export interface Survey {
  readonly family: Family;
  readonly compiler: string;
  readonly kernels: readonly Compiled[];
  readonly hot: readonly HotRow[];
}

/** Compiles every kernel of the watched networks for every family. */
export async function survey(tools: Tools): Promise<Survey[]> {
  const workloads = WATCHED.flatMap((model) => {
    const [entry] = networksFrom({ model: [model], size: SIZE, classes: CLASSES });
    if (entry === undefined) return [];
    return [
      kernelsOf(entry.config, { batch: 1, train: false }),
      kernelsOf(entry.config, { batch: TRAINING_BATCH, train: true }),
    ];
  });
  const distinct = [...new Map(workloads.flat().map((kernel) => [kernel.wgsl, kernel])).values()];
  const compiled = await withLayer(tools, null, (folder) =>
    Promise.all(
      FAMILIES.map(async (family) => ({ family, ...(await compileFor(family, distinct, { tools, folder })) })),
    ),
  );
  const judged = compiled.find(({ family }) => family === JUDGE.family)?.kernels ?? [];
  const predictions = workloads.map((workload) => predict(workload, byText(judged), JUDGE));
  return compiled.map(({ family, driver, kernels }) => ({
    ...{ family, compiler: driver, kernels },
    hot: hotRows(predictions, kernels),
  }));
}

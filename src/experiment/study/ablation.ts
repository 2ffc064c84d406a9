import { UsageError } from "../../errors.ts";
import { ABLATIONS, type Ablation } from "../../model/svanet/ablations.ts";
import { traceNetwork } from "../../model/zoo.ts";
import { flagOf, type TrainConfig } from "../settings/config.ts";
import { networkConfig } from "../settings/recipe.ts";
import { SVANET_FIELDS } from "../settings/svanet-parts.ts";
import type { AblationTable } from "./ablation-tables.ts";
import type { Arm, Cell } from "./plan.ts";

/** The rows of ablation tables, each variant once, under one recipe. */
export function ablationArms(tables: readonly AblationTable[], config: TrainConfig): Arm[] {
  const variants = new Map(tables.flatMap(({ variants: own }) => own).map((variant) => [variant.key, variant]));
  return [...variants.values()].map(({ key, label }) => ({ key, label, config: { ...config, ablation: key } }));
}

/** The cells of a table, in its order. */
export function cellsOf(table: AblationTable, cells: readonly Cell[]): Cell[] {
  return table.variants.flatMap(({ key }) => cells.find(({ arm }) => arm.key === key) ?? []);
}

/**
 * Throws UsageError where the recipe has what a table decides: another network than SvANet, an ablation, a part in which its
 * rows differ, or one without which they do not differ. `where` names a field as it was given.
 */
export function requireFreeParts(
  tables: readonly AblationTable[],
  config: TrainConfig,
  where: (field: string) => string = flagOf,
): void {
  if (config.model !== "svanet") {
    throw new UsageError(
      `${where("model")} ${config.model}: an ablation table compares parts of SvANet, which ${config.model} does not have; ` +
        "svanet compare compares networks",
    );
  }
  if (config.ablation !== null) {
    throw new UsageError(`${where("ablation")} ${config.ablation}: the table decides the variants; leave it out`);
  }
  const given = SVANET_FIELDS.filter((field) => config[field] !== null);
  for (const table of tables) {
    for (const field of given) {
      if (!table.variants.some(({ key }) => field in (ABLATIONS[key] as Ablation).changes)) continue;
      throw new UsageError(
        `${where(field)} ${shown(config[field])}: the rows of ${table.name} differ in it (${table.title}); leave it out`,
      );
    }
    if (given.length > 0)
      requireApart(
        table,
        config,
        given.map((field) => `${where(field)} ${shown(config[field])}`),
      );
  }
}

const shown = (value: unknown): string => (typeof value === "boolean" ? (value ? "on" : "off") : String(value));

/** Throws UsageError where two rows that differ by themselves compute the same under the given parts. */
function requireApart(table: AblationTable, config: TrainConfig, given: readonly string[]): void {
  const bare = { ...config, ...Object.fromEntries(SVANET_FIELDS.map((field) => [field, null])) };
  // Of the smallest network: what is computed does not depend on the sizes.
  const small = { width: 8, size: { width: 64, height: 64 }, encoder: "mini", layerRates: {} } as const;
  const textOf = (own: TrainConfig, key: string) => computed({ ...own, ...small, ablation: key, formerHeads: null });
  const alone = table.variants.map(({ key }) => textOf(bare, key));
  const together = table.variants.map(({ key }) => textOf(config, key));
  for (const [i, { label }] of table.variants.entries()) {
    const j = together.findIndex((text, at) => at < i && text === together[i] && alone[at] !== alone[i]);
    const other = table.variants[j];
    if (other === undefined) continue;
    throw new UsageError(
      `${given.join(", ")}: the rows "${other.label}" and "${label}" of ${table.name} would be one network; leave it out`,
    );
  }
}

/** What a network computes in training, as a text: its ops, tensors and random choices, whatever its configuration is called. */
function computed(config: TrainConfig): string {
  const { build } = traceNetwork(networkConfig(config, 2), { mode: "train", batch: 2 });
  const { steps, inputs, resident } = build.graph;
  const names = new Map<number, number>();
  const numberOf = (id: number) => names.get(id) ?? names.set(id, names.size).size - 1;
  const known = [...inputs, ...resident].map(([name, { id }]) => [name, numberOf(id)]);
  const calls = steps.map(({ op, inputs: read, attrs, outputs }) => [
    op.name,
    Object.values(read).map(({ id }) => numberOf(id)),
    attrs,
    outputs.map(({ id, shape }) => [numberOf(id), shape]),
  ]);
  return JSON.stringify([known, calls, build.draws.list()]);
}

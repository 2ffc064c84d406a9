import { UsageError } from "../errors.ts";
import { isWithin, type Parameter, type ParameterTable } from "../model/parameters.ts";
import { suggestion } from "../nearest.ts";

/** A parameter's learning rate over that of the run; 0 for one that does not train. */
export type RateFactors = (parameter: Parameter) => number;

/** What decides them; the flags of the same names. */
export interface RateSettings {
  readonly encoderRate: number;
  readonly layerDecay: number;
  readonly layerRates: Readonly<Record<string, number>>;
}

/**
 * The factors of a network's learning rates. Behind the encoder 1; in it `encoderRate`, times `layerDecay` once for the
 * deepest level and once more for each level nearer to the image. The longest prefix in `layerRates` that a name has
 * takes the place of both. A `frozen` encoder has 0 throughout. UsageError for a prefix that no parameter has, and where
 * nothing is left to train.
 */
export function rateFactors(table: ParameterTable, settings: RateSettings, frozen = false): RateFactors {
  const { layerRates } = settings;
  const names = table.list("weight").map(({ name }) => name);
  const prefixes = Object.keys(layerRates).sort((one, two) => two.length - one.length);
  const unknown = prefixes.find((prefix) => !names.some((name) => isWithin(name, prefix)));
  if (unknown !== undefined) {
    const known = new Set(
      names.flatMap((name) => name.split(".").map((_, i, parts) => parts.slice(0, i + 1).join("."))),
    );
    const tops = new Set(names.map((name) => name.split(".", 1)[0] ?? name));
    const hint = suggestion(unknown, [...known], [...tops]);
    throw new UsageError(`--layer-rates: the network has no tensors whose names begin with ${unknown}. ${hint}`);
  }
  const factorOf: RateFactors = ({ name, level }) => {
    if (frozen && level !== null) return 0;
    const prefix = prefixes.find((known) => isWithin(name, known));
    return (prefix === undefined ? undefined : layerRates[prefix]) ?? byLevel(table, settings, level);
  };
  if (!table.list("weight").some((entry) => factorOf(entry) > 0)) {
    const when = frozen ? " while the encoder is frozen (--freeze-epochs)" : "";
    throw new UsageError(
      `--layer-rates: every tensor has a factor of 0${when}, so nothing would train; leave some out`,
    );
  }
  return factorOf;
}

function byLevel(
  { levels }: ParameterTable,
  { encoderRate, layerDecay }: RateSettings,
  level: Parameter["level"],
): number {
  return level === null ? 1 : encoderRate * layerDecay ** (levels.length - level);
}

/** The factors that are not 1, in words; null where there are none. */
export function describeRates(table: ParameterTable, settings: RateSettings): string | null {
  const { layerDecay, layerRates, encoderRate } = settings;
  const levels =
    layerDecay === 1
      ? [["encoder", encoderRate] as const]
      : table.levels.map((names, level) => [names.join("+"), byLevel(table, settings, level)] as const);
  const rows = [...levels, ...Object.entries(layerRates)].filter(([, factor]) => factor !== 1);
  if (rows.length === 0) return null;
  const words = rows.map(([name, factor]) => `${name} ${factor === 0 ? "0 (frozen)" : Number(factor.toPrecision(3))}`);
  return `learning rates over that of the run: ${words.join(", ")}, all else 1`;
}

import { nearestName } from "../nearest.ts";
import { NAME_MAPS, type NameMap } from "./names.ts";

/** What is to be filled: a network's parameters, statistics and region maps. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: string;
}

interface Shaped {
  readonly shape: readonly number[];
}

export interface Matched<T> {
  /** As in "names as in LABEL". */
  readonly label: string;
  /** By our names; only what fits. */
  readonly found: ReadonlyMap<string, T>;
  /** Every name that is missing, has no place or another shape, as sentences. */
  readonly problems: readonly string[];
}

/** Names for which the nearest one is looked up: each costs a comparison with all others. */
const NEAREST = 200;

/**
 * Gives every tensor of a file its place in a network, by the public names that explain most of them. A file of a
 * backbone need not fill the rest; a file that fills anything beyond it must fill the whole network.
 */
export function matchNames<T extends Shaped>(slots: readonly Slot[], tensors: ReadonlyMap<string, T>): Matched<T> {
  const byName = new Map(slots.map((slot) => [slot.name, slot]));
  const known = new Set(byName.keys());
  const names = [...tensors.keys()].filter((name) => !name.endsWith("num_batches_tracked"));
  const places = (map: NameMap) => new Map(names.map((name) => [name, map.ours(name, known)] as const));
  const fits = (map: NameMap) =>
    [...places(map).values()].filter((ours) => ours !== undefined && known.has(ours)).length;
  const map = NAME_MAPS.reduce((best, other) => (fits(other) > fits(best) ? other : best));
  const found = new Map<string, T>();
  const wrong: string[] = [];
  const extra: string[] = [];
  for (const [theirs, ours] of places(map)) {
    const tensor = tensors.get(theirs);
    const slot = ours === undefined ? undefined : byName.get(ours);
    if (!tensor) continue;
    if (!slot) {
      if (!map.dropped.test(theirs) && !isAbsentStage(ours, known)) extra.push(theirs);
    } else if (slot.shape.join() === tensor.shape.join()) found.set(slot.name, tensor);
    else wrong.push(shapeProblem(theirs, slot, tensor));
  }
  const misshapen = new Set([...places(map).values()]);
  const missing = required(slots, found, map).filter(({ name }) => !misshapen.has(name));
  return { label: map.label, found, problems: [...wrong, ...missingAndExtra(missing, extra)] };
}

/** Whether a network's encoder ends before this stage: what it would need is no mistake of the file. */
function isAbsentStage(ours: string | undefined, known: ReadonlySet<string>): boolean {
  const stage = /^encoder\.stages?\.\d\./.exec(ours ?? "")?.[0];
  return stage !== undefined && ![...known].some((name) => name.startsWith(stage));
}

function shapeProblem(theirs: string, slot: Slot, { shape }: Shaped): string {
  const place = theirs === slot.name ? "the network's" : slot.name;
  return `${theirs} is [${shape}], ${place} is [${slot.shape}]`;
}

/** What a file must fill: a backbone where it has nothing else. Region maps are drawn anew when they are missing. */
function required(slots: readonly Slot[], found: ReadonlyMap<string, unknown>, { backbone }: NameMap): Slot[] {
  const whole = [...found.keys()].some((name) => !backbone.test(name));
  return slots.filter(({ name, kind }) => kind !== "region" && !found.has(name) && (whole || backbone.test(name)));
}

function missingAndExtra(missing: readonly Slot[], extra: readonly string[]): string[] {
  const names = missing.map(({ name }) => name);
  let looked = 0;
  const near = (name: string, others: readonly string[]): string => {
    const nearest = looked++ < NEAREST ? nearestName(name, others) : undefined;
    return nearest === undefined ? "" : ` (nearest: ${nearest})`;
  };
  return [
    ...names.map((name) => `${name} is missing${near(name, extra)}`),
    ...extra.map((name) => `${name} has no place in the network${near(name, names)}`),
  ];
}

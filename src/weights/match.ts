import { nearestName } from "../nearest.ts";
import { NAME_MAPS } from "./names/name-maps.ts";
import type { NameMap } from "./names/rules.ts";

/** What is to be filled: a network's parameters, statistics and region maps. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: string;
  /** Its shape in the same network for RGB images, where that is another: then public weights are adapted. */
  readonly rgbShape?: readonly number[];
}

interface Shaped {
  readonly shape: readonly number[];
}

interface Matched<T> {
  /** As in "names as in LABEL". */
  readonly label: string;
  /** By our names; only what fits. */
  readonly found: ReadonlyMap<string, T>;
  /** By our names; tensors of a file with one foreground class that here need a row for the background in front. */
  readonly foreground: ReadonlyMap<string, T>;
  /** By our names; tensors that see RGB, where the network sees other channels. */
  readonly rgb: ReadonlyMap<string, T>;
  /** Every name that is missing, has no place or another shape, as sentences. */
  readonly problems: readonly string[];
  /** Sentences on tensors that are known to be of no use here. */
  readonly notes: readonly string[];
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
  const map = mapOf(
    [...tensors.keys()].filter((name) => !isCounter(name)),
    known,
  );
  const found = new Map<string, T>();
  const foreground = new Map<string, T>();
  const rgb = new Map<string, T>();
  const placed = new Set<string>();
  const wrong: string[] = [];
  const homeless: string[] = [];
  for (const [theirs, tensor] of tensors) {
    const slot = byName.get(map.ours(theirs, known) ?? "");
    if (!slot) {
      if (!isCounter(theirs)) homeless.push(theirs);
      continue;
    }
    placed.add(slot.name);
    if (slot.shape.join() === tensor.shape.join()) found.set(slot.name, tensor);
    else if (lacksBackground(map, slot, tensor)) foreground.set(slot.name, tensor);
    else if (slot.rgbShape?.join() === tensor.shape.join()) rgb.set(slot.name, tensor);
    else wrong.push(shapeProblem(theirs, slot, tensor));
  }
  const { extra, notes } = sorted(homeless, map, known);
  const missing = required(slots, found, map).filter(({ name }) => !placed.has(name));
  return {
    label: map.label,
    found,
    foreground,
    rgb,
    problems: [...wrong, ...missingAndExtra(missing, extra)],
    notes,
  };
}

/** PyTorch counts the batches a norm has seen; with a fixed momentum nothing reads it. */
const isCounter = (name: string): boolean => name.endsWith("num_batches_tracked");

/** The names that give most tensors a place; where none has one, those that most tensors follow. */
function mapOf(names: readonly string[], known: ReadonlySet<string>): NameMap {
  const score = ({ ours }: NameMap): number => {
    const places = names.map((name) => ours(name, known)).filter((place) => place !== undefined);
    return places.filter((place) => known.has(place)).length + places.length / (names.length + 1);
  };
  const scored = NAME_MAPS.map((map) => ({ map, score: score(map) }));
  return scored.reduce((best, other) => (other.score > best.score ? other : best)).map;
}

/** Whether a tensor is of one class where the network has two. */
function lacksBackground({ classRows }: NameMap, { name, shape }: Slot, tensor: Shaped): boolean {
  const [rows, ...rest] = tensor.shape;
  return classRows?.test(name) === true && rows === 1 && [2, ...rest].join() === shape.join();
}

/** Tensors without a place: those of no known use, and sentences on the others. */
function sorted(names: readonly string[], map: NameMap, known: ReadonlySet<string>) {
  const extra: string[] = [];
  const unused = new Map<string, string[]>();
  for (const theirs of names) {
    const what = useless(map, theirs, map.ours(theirs, known), known);
    if (what === undefined) extra.push(theirs);
    else unused.set(what, [...(unused.get(what) ?? []), theirs]);
  }
  return { extra, notes: [...unused].map(([what, left]) => leftOut(left, what)) };
}

/** What a tensor without a place is, when that is known and no mistake of the file. */
function useless(map: NameMap, theirs: string, ours: string | undefined, known: ReadonlySet<string>) {
  if (isAbsentStage(ours, known)) return "encoder stages that this network has not";
  return map.unused.find(({ names }) => names.test(theirs))?.what;
}

/** Whether a network's encoder ends before this stage. */
function isAbsentStage(ours: string | undefined, known: ReadonlySet<string>): boolean {
  const [stage, stages] = /^(encoder\.stages?\.)\d\./.exec(ours ?? "") ?? [];
  if (stage === undefined || stages === undefined) return false;
  const has = (prefix: string) => [...known].some((name) => name.startsWith(prefix));
  return has(stages) && !has(stage);
}

function leftOut(names: readonly string[], what: string): string {
  const [first = ""] = names;
  return `left out ${names.length === 1 ? first : `${names.length} tensors such as ${first}`}: ${what}`;
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

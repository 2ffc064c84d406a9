import { type Access, Invocation } from "./wgsl/invocation.ts";
import type { Expression, Module } from "./wgsl/syntax.ts";

/**
 * Bank conflicts of a kernel's accesses to workgroup memory, by the places that its text computes for each lane. 32 banks of
 * four bytes serve 128 bytes a clock; a wide access is served a few lanes at a time (8 lanes of 16 bytes), equal places
 * at once. Compilers join accesses to neighbouring places to one of up to 16 bytes.
 */
export interface Conflicts {
  /** Clocks that the accesses take over those they would take without conflicts. 1 where there are none. */
  readonly factor: number;
  /** Accesses in the text whose place depends on data, and which are left out. */
  readonly unread: number;
}

const BANKS = 32;
const BANK_BYTES = 4;
const WIDEST = 16;
/** Lanes whose accesses are looked at: a wave of AMD's. */
const WAVE = 64;

interface Site extends Pick<Access, "array" | "write" | "loop"> {
  /** First byte for each lane that passes. */
  readonly bytes: Map<number, number>;
  /** How often lanes pass, all together. */
  passes: number;
  unread: boolean;
}

/**
 * Conflicts of a workgroup's first wave in its first turn; the turns of a loop are alike. `uniforms` are the sizes that the kernel
 * is used with: the first by which it comes to its accesses counts.
 */
export function conflictsOf(module: Module, uniforms: readonly Readonly<Record<string, number>>[]): Conflicts {
  if (module.shared.size === 0) return NONE;
  for (const args of uniforms) {
    const sites = [...sitesOf(module, args).values()];
    if (sites.length > 0) return conflictsAt(sites, module);
  }
  return NONE;
}

const NONE: Conflicts = { factor: 1, unread: 0 };

function conflictsAt(sites: readonly Site[], module: Module): Conflicts {
  const known = sites.filter(({ unread }) => !unread);
  let [actual, ideal] = [0, 0];
  for (const { addresses, bytes, times } of joined(known, module)) {
    actual += times * clocks(addresses, bytes);
    ideal += times * Math.ceil((addresses.length * Math.max(bytes, BANK_BYTES)) / (BANKS * BANK_BYTES));
  }
  return { factor: ideal > 0 ? actual / ideal : 1, unread: sites.length - known.length };
}

function sitesOf(module: Module, args: Readonly<Record<string, number>>): Map<Expression, Site> {
  const [width, height, depth] = module.workgroupSize;
  const lanes = Math.min(WAVE, width * height * depth);
  const sites = new Map<Expression, Site>();
  for (let lane = 0; lane < lanes; lane++) {
    const onAccess = ({ site, array, at, write, times, loop }: Access) => {
      const entry = sites.get(site) ?? { array, write, loop, bytes: new Map(), passes: 0, unread: false };
      sites.set(site, entry);
      entry.passes += times;
      if (at === undefined) entry.unread = true;
      else if (!entry.bytes.has(lane)) entry.bytes.set(lane, at * elementBytes(module, array));
    };
    const local = [lane % width, Math.floor(lane / width) % height, Math.floor(lane / (width * height))] as const;
    new Invocation(module, { group: [0, 0, 0], groups: [1, 1, 1], local, args }, { onAccess }).run();
  }
  return sites;
}

interface Joined {
  readonly addresses: readonly number[];
  readonly bytes: number;
  readonly times: number;
}

const elementBytes = (module: Module, array: string): number => module.shared.get(array)?.elementBytes ?? BANK_BYTES;

/** Accesses of one loop and array whose places lie a fixed distance apart, as the wide ones that compilers make of them. */
function joined(sites: readonly Site[], module: Module): Joined[] {
  const families = new Map<
    string,
    { readonly site: Site; readonly lanes: readonly number[]; readonly offsets: number[] }
  >();
  const loops = [...new Set(sites.map(({ loop }) => loop))];
  for (const site of sites) {
    const [first = 0] = site.bytes.values();
    const lanes = [...site.bytes.values()].map((byte) => byte - first);
    const who = [...site.bytes.keys()];
    const key = [site.array, site.write, loops.indexOf(site.loop), site.passes, who, lanes].join();
    const family = families.get(key) ?? { site, lanes, offsets: [] };
    families.set(key, family);
    if (!family.offsets.includes(first)) family.offsets.push(first);
  }
  return [...families.values()].flatMap(({ site, lanes, offsets }) =>
    runs(offsets, elementBytes(module, site.array), lanes).map(({ from, bytes }) => ({
      addresses: lanes.map((lane) => lane + from),
      bytes,
      times: site.passes / lanes.length,
    })),
  );
}

/** Stretches of neighbouring places, aligned to their own size for every lane. */
function runs(offsets: readonly number[], size: number, lanes: readonly number[]): Run[] {
  const left = new Set(offsets);
  const found: Run[] = [];
  for (const from of [...offsets].sort((a, b) => a - b)) {
    for (let bytes = WIDEST; bytes >= size && left.has(from); bytes /= 2) {
      const all = Array.from({ length: bytes / size }, (_, i) => from + i * size);
      const aligned = bytes === size || lanes.every((lane) => (lane + from) % bytes === 0);
      if (!aligned || !all.every((offset) => left.has(offset))) continue;
      for (const offset of all) left.delete(offset);
      found.push({ from, bytes });
    }
  }
  return found;
}

interface Run {
  readonly from: number;
  readonly bytes: number;
}

/** Clocks of one access of `bytes` at each lane's place. */
export function clocks(addresses: readonly number[], bytes: number): number {
  const words = Math.max(1, bytes / BANK_BYTES);
  const together = BANKS / words;
  let total = 0;
  for (let from = 0; from < addresses.length; from += together) {
    const banks = new Map<number, Set<number>>();
    for (const address of addresses.slice(from, from + together)) {
      for (let word = 0; word < words; word++) {
        const at = Math.floor(address / BANK_BYTES) + word;
        const bank = banks.get(at % BANKS) ?? new Set();
        banks.set(at % BANKS, bank.add(at));
      }
    }
    total += Math.max(...[...banks.values()].map((places) => places.size));
  }
  return total;
}

import { type Conflicts, conflictsOf } from "./banks.ts";
import type { Card } from "./cards.ts";
import { MATRIX } from "./counts.ts";
import type { Kernel, Use } from "./kernels.ts";
import type { Compiled } from "./null-device.ts";
import { type Turns, turnsOf } from "./turns.ts";
import { parseWgsl } from "./wgsl/parse.ts";

/**
 * Predicts how long a dispatch takes on a card that it never ran on: a model, not a measurement. It takes the longest of what a
 * dispatch needs of vector units, workgroup memory, cache and memory, with rounds of workgroups over units and latency that
 * nothing hides, and adds a fixed cost. It knows nothing of clocks under load, of operand banks in registers, of misses
 * beyond what the bindings say, of NVIDIA's compiler, and keeps no tensor in a cache between dispatches.
 */
export interface Prediction {
  readonly label: string;
  readonly use: Use;
  /** Seconds of one dispatch. */
  readonly seconds: number;
  /** What it waits for most. */
  readonly limit: string;
  /** Bytes to and from memory. */
  readonly bytes: number;
  readonly groups: number;
  readonly turns: Turns;
  readonly conflicts: Conflicts;
  /** How long some loop runs is decided by data: its turns were guessed by the bytes that there are to read. */
  readonly guessed: boolean;
}

/** Clocks from a load of a tile to its use, barriers included. */
const LATENCY = 700;
/** Those of them that a loop pays which fetches ahead. */
const AHEAD = 100;
/** Clocks that a wait outside the loop takes. */
const TAIL = 500;
/** Vector cycles between load and wait from which a loop counts as one that fetches ahead. */
const COVERED = 100;
/** Seconds of every dispatch: launch, and the barrier before the next. */
export const OVERHEAD = 5e-6;
/** Seconds of a load whose use waits for it, from cache and from memory; tensors beyond the size come from memory. */
const CACHED_LOAD = 0.25e-6;
const MEMORY_LOAD = 0.5e-6;
const CACHE_BYTES = 32e6;
const WIDEST_LOAD = 16;

/** All dispatches of a network's kernels. `compiled` is by text. */
export function predict(kernels: readonly Kernel[], compiled: ReadonlyMap<string, Compiled>, card: Card): Prediction[] {
  return kernels.flatMap((kernel) => {
    const machine = compiled.get(kernel.wgsl);
    if (machine === undefined) throw new Error(`${kernel.label} was not compiled for ${card.family}`);
    const module = parseWgsl(kernel.wgsl);
    // Places in workgroup memory follow from lanes and the tile's form; sizes only decide which taps are met.
    const conflicts = conflictsOf(
      module,
      kernel.uses.map(({ args }) => args),
    );
    const nest = { depth: machine.depth, barriers: machine.loop?.barriers ?? 0 };
    return kernel.uses.map((use) => {
      const read = turnsOf(module, use.workgroups, { args: use.args, machine: nest });
      const work: Work = {
        machine,
        use,
        card,
        lanes: module.workgroupSize.reduce((product, side) => product * side, 1),
        groups: use.workgroups.reduce((product, side) => product * side, 1),
        turns: machine.loop === null ? UNROLLED : read,
        conflicts,
      };
      return predictOne(work, module.shared.size > 0);
    });
  });
}

/** One passage through all instructions. */
const UNROLLED: Turns = { mean: 1, most: 1, read: true };

interface Work {
  readonly machine: Compiled;
  readonly use: Use;
  readonly card: Card;
  /** Invocations of a workgroup. */
  readonly lanes: number;
  readonly groups: number;
  readonly turns: Turns;
  readonly conflicts: Conflicts;
}

function predictOne(given: Work, cooperates: boolean): Prediction {
  const guessed = !given.turns.read;
  const work = guessed ? { ...given, turns: guessedTurns(given) } : given;
  const { use, card, machine, groups, turns, conflicts } = work;
  const read = readBytes(work);
  const bytes = read + use.tensors.reduce((sum, tensor) => sum + (tensor.writes ? tensor.bytes : 0), 0);
  const parts = { memory: bytes / (card.memory * 1e9), ...(cooperates ? tileTime(work) : plainTime(work, read)) };
  const [[limit, seconds] = ["", 0]] = Object.entries(parts).sort((a, b) => b[1] - a[1]);
  return {
    label: machine.label,
    use,
    seconds: seconds + OVERHEAD,
    limit: seconds < OVERHEAD ? "overhead" : limit,
    ...{ bytes, groups, turns, conflicts, guessed },
  };
}

/** Clocks that a compute unit needs for one turn of a workgroup's hot loop. */
function turnClocks({ machine, card, lanes, conflicts }: Work): { readonly vector: number; readonly shared: number } {
  const { wave } = machine;
  const loop = machine.loop ?? machine.whole;
  const waves = lanes / wave;
  const shared = (waves * loop.ldsBytes * conflicts.factor) / card.shared;
  if (!card.nvidia) {
    return { vector: (waves * (card.paired ? loop.cyclesPaired : loop.cycles)) / card.issuers, shared };
  }
  const issued = loop.vector + loop.ldsLoads + loop.ldsStores + loop.loads + loop.stores;
  const matrices = (waves * loop.matrices * MATRIX) / (card.matrixRate ?? card.rate);
  return { vector: Math.max(((lanes / 32) * issued) / card.issuers, matrices), shared };
}

/** Workgroups that a compute unit holds at once. */
export function residentGroups({ machine, card, lanes }: Pick<Work, "machine" | "card" | "lanes">): number {
  if (card.nvidia) {
    // 64 Ki registers, 1536 threads and 100 KiB of shared memory; a few registers more than AMD needs, by eights.
    const registers = Math.min(255, Math.ceil((machine.registers + 12) / 8) * 8);
    const fitting = [65536 / (registers * lanes), 1536 / lanes, 102400 / Math.max(1024, machine.lds)];
    return Math.max(1, Math.floor(Math.min(...fitting)));
  }
  const invocations = machine.residentWaves * 32 * card.issuers;
  return Math.max(1, Math.floor(Math.min(invocations / lanes, 65536 / Math.max(1, machine.lds))));
}

/** Times of a kernel whose workgroups share a tile. */
function tileTime(work: Work): Readonly<Record<string, number>> {
  const { machine, card, groups, turns, lanes } = work;
  const { vector, shared } = turnClocks(work);
  const busy = Math.max(vector, shared);
  const most = residentGroups(work);
  const each = Math.ceil(groups / card.units);
  // A workgroup alone waits for its loads in every turn, unless the loop fetches ahead, and for what its stores need.
  const ahead = (machine.cover ?? 0) > COVERED;
  const turn = ahead ? Math.max(busy, LATENCY - AHEAD) + AHEAD : busy + LATENCY;
  const life = turns.mean * turn + machine.tailWaits * TAIL;
  const hertz = card.clock * 1e9;
  const loaded = (machine.loop ?? machine.whole).loadBytes * (lanes / machine.wave) * turns.mean * groups;
  return {
    [shared > vector ? "shared memory" : "issue"]: (each * turns.mean * busy) / hertz,
    [groups < card.units ? "few workgroups" : "latency"]: (Math.ceil(each / most) * life) / hertz,
    cache: loaded / (card.cache * 1e9),
  };
}

/** Times of a kernel whose invocations work by themselves. */
function plainTime({ machine, card, lanes, groups, turns }: Work, read: number): Readonly<Record<string, number>> {
  const passes = Math.max(1, turns.most);
  const loop = machine.loop ?? machine.whole;
  const paired = card.paired && !card.nvidia;
  const cycles = paired
    ? machine.whole.cyclesPaired + (passes - 1) * loop.cyclesPaired
    : machine.whole.cycles + (passes - 1) * loop.cycles;
  const waves = Math.ceil((groups * lanes) / machine.wave / card.units / card.issuers);
  return {
    issue: (waves * cycles) / (card.clock * 1e9),
    latency: passes * (read > CACHE_BYTES ? MEMORY_LOAD : CACHED_LOAD),
  };
}

/** Bytes that come from memory: what is bound, or less where the kernel's loads cannot reach all of it. */
function readBytes({ machine, use, lanes, groups, turns }: Work): number {
  const bound = boundBytes(use);
  const loop = machine.loop ?? machine.whole;
  // Loads of a whole wave at once do not tell how much they bring.
  if (loop.scalarLoads > 0) return bound;
  const waves = (groups * lanes) / machine.wave;
  const inLoops = machine.loop === null ? 0 : Math.max(1, turns.mean) * machine.loop.loadBytes;
  return Math.min(bound, waves * (machine.outside.loadBytes + inLoops));
}

const boundBytes = ({ tensors }: Use): number =>
  tensors.reduce((sum, { reads, bytes }) => sum + (reads ? bytes : 0), 0);

/** Turns in which invocations could have read all that is bound, a turn's loads at a time. */
function guessedTurns({ machine, use, lanes, groups, turns }: Work): Turns {
  const together = Math.max(1, (machine.loop ?? machine.whole).loads);
  const guess = Math.ceil(boundBytes(use) / (groups * lanes) / WIDEST_LOAD / together);
  return { mean: Math.max(turns.mean, guess), most: Math.max(turns.most, guess), read: false };
}

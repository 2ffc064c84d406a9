import { CHIPS, type Chip, type Family } from "./chips.ts";
import { type Counts, countsOf, vectorCycles } from "./counts.ts";
import { type Instruction, instructionsOf, isOwn, type MachineLoop, machineLoops } from "./listing.ts";

/** What a listing shows. */
export interface Shown {
  /** One turn of the loop with most multiply-accumulates, or of the innermost one; loops within it apart. Null where nothing loops. */
  readonly loop: Counts | null;
  /** All instructions, each counted once. */
  readonly whole: Counts;
  /** Those outside loops. */
  readonly outside: Counts;
  /** How many loops the one lies in, itself counted; 0 where nothing loops. */
  readonly depth: number;
  /**
   * Vector cycles between a turn's last load from memory and the wait for it: how much of the latency a wave hides by itself.
   * Null where the loop loads nothing.
   */
  readonly cover: number | null;
  /** Waits for memory outside loops, each a full latency for its workgroup. */
  readonly tailWaits: number;
}

const LOAD = /^(?:buffer|global|flat)_load/;

export function shownBy(text: string, wave: number, family: Family): Shown {
  const chip = CHIPS[family];
  const list = instructionsOf(text);
  const loops = machineLoops(list).map((loop) => {
    const own = list.filter((_, i) => isOwn(loop, i));
    return { loop, own, counts: countsOf(own, wave, chip) };
  });
  const hot = hottest(loops);
  const outside = list.filter((_, i) => !loops.some(({ loop: { from, to } }) => i >= from && i <= to));
  return {
    loop: hot?.counts ?? null,
    whole: countsOf(list, wave, chip),
    outside: countsOf(outside, wave, chip),
    depth: hot ? hot.loop.depth + 1 : 0,
    cover: hot ? coverOf(hot.own, wave, chip) : null,
    tailWaits: tailWaits(outside),
  };
}

interface OwnCounts {
  readonly loop: MachineLoop;
  readonly own: readonly Instruction[];
  readonly counts: Counts;
}

function hottest(loops: readonly OwnCounts[]): OwnCounts | undefined {
  const byWork = loops.filter(({ counts }) => counts.fma > 0).sort((a, b) => b.counts.fma - a.counts.fma);
  const byDepth = [...loops].sort((a, b) => b.loop.depth - a.loop.depth || b.counts.vector - a.counts.vector);
  return byWork[0] ?? byDepth[0];
}

/** True for a wait until every load from memory is there. */
function waitsForAll({ op, rest }: Instruction): boolean {
  if (op === "s_waitcnt") return /vmcnt\(0\)/.test(rest);
  return /^s_wait_.*loadcnt/.test(op) && /^(?:0x0|0|imm:0|.*load:0)/.test(rest);
}

function coverOf(list: readonly Instruction[], wave: number, chip: Chip): number | null {
  const load = list.findLastIndex(({ op }) => LOAD.test(op));
  if (load < 0) return null;
  const round = [...list.slice(load + 1), ...list.slice(0, load)];
  const wait = round.findIndex(waitsForAll);
  const between = wait < 0 ? round : round.slice(0, wait);
  return between.reduce((sum, { op }) => sum + (op.startsWith("v_") ? vectorCycles(op, { wave, chip }).paired : 0), 0);
}

function tailWaits(outside: readonly Instruction[]): number {
  let pending = false;
  let waits = 0;
  for (const instruction of outside) {
    if (LOAD.test(instruction.op)) pending = true;
    else if (pending && waitsForAll(instruction)) {
      waits++;
      pending = false;
    }
  }
  return waits;
}

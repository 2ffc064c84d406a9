import { Invocation } from "./wgsl/invocation.ts";
import { LoopTexts, meetsInLoops } from "./wgsl/shape-of-loops.ts";
import type { Module } from "./wgsl/syntax.ts";

type Grid = readonly [x: number, y: number, z: number];

/** What the loops of a dispatch do, by its text and its uniform block. */
export interface Turns {
  /** Turns of the innermost loops of an invocation, on average over workgroups. */
  readonly mean: number;
  /** Those of the workgroup with most. */
  readonly most: number;
  /** False where data decides how long some loop runs: that loop counts as one turn. */
  readonly read: boolean;
}

/** Workgroups looked at: spread evenly, so that each phase of a scatter and each stretch of a split sum is met. */
const SAMPLES = 8;

/** What the machine code shows of its hottest loop. */
export interface MachineNest {
  /** How many loops it lies in, itself counted. */
  readonly depth: number;
  /** Barriers in one turn, loops within apart. */
  readonly barriers: number;
}

/** Fixed loops of so few turns are unrolled whatever is in them. */
const ALWAYS_UNROLLED = 8;

/**
 * Which loops of the text the machine has. Compilers unroll loops of a fixed number of turns if what comes out is short. They did
 * not where the machine's hottest loop lies deeper than the other loops of the text, or has no barrier though the text's has.
 */
function keptLoops(module: Module, machine: MachineNest): LoopTexts {
  const unrolled = new LoopTexts(module, Number.MAX_VALUE);
  const keeps = machine.depth > unrolled.depth || (machine.barriers === 0 && meetsInLoops(module));
  return keeps ? new LoopTexts(module, ALWAYS_UNROLLED) : unrolled;
}

/** Counts turns of the loops that the machine code has, by the text and what the uniform block holds. */
export function turnsOf(
  module: Module,
  groups: Grid,
  { args, machine }: { readonly args: Readonly<Record<string, number>>; readonly machine: MachineNest },
): Turns {
  const texts = keptLoops(module, machine);
  const [x, y, z] = groups;
  const all = x * y * z;
  const samples = Math.min(all, SAMPLES);
  const [width, height] = module.workgroupSize;
  const lanes = width * height * module.workgroupSize[2];
  const counts: number[] = [];
  let read = true;
  for (let sample = 0; sample < samples; sample++) {
    const t = Math.floor((sample * all) / samples);
    const group: Grid = [t % x, Math.floor(t / x) % y, Math.floor(t / (x * y))];
    const own = [...new Set([0, lanes - 1])].map((lane) => {
      const local: Grid = [lane % width, Math.floor(lane / width) % height, Math.floor(lane / (width * height))];
      const invocation = new Invocation(module, { group, groups, local, args }, { texts });
      invocation.run();
      read &&= invocation.unreadLoops === 0;
      return invocation.turns;
    });
    counts.push(Math.max(...own));
  }
  return { mean: counts.reduce((sum, count) => sum + count, 0) / samples, most: Math.max(...counts), read };
}

import type { Chip } from "./chips.ts";
import type { Instruction } from "./listing.ts";

/** What a stretch of instructions is made of, for one wave; bytes and multiply-accumulates are of all its lanes. */
export interface Counts {
  /** Multiply-accumulates. */
  readonly fma: number;
  /** Vector instructions. */
  readonly vector: number;
  /** Cycles of one vector unit if all that may issues in pairs, and if nothing does. */
  readonly cyclesPaired: number;
  readonly cycles: number;
  /** Those of them in which multiply-accumulates issue. */
  readonly fmaCyclesPaired: number;
  readonly fmaCycles: number;
  readonly ldsLoads: number;
  readonly ldsStores: number;
  readonly ldsBytes: number;
  readonly loads: number;
  readonly stores: number;
  readonly loadBytes: number;
  readonly scalarLoads: number;
  readonly waits: number;
  readonly barriers: number;
  /** Instructions that multiply 16x16x16 matrices. */
  readonly matrices: number;
}

type Tally = { -readonly [K in keyof Counts]: number };

const EMPTY: Counts = {
  ...{ fma: 0, vector: 0, cyclesPaired: 0, cycles: 0, fmaCyclesPaired: 0, fmaCycles: 0 },
  ...{ ldsLoads: 0, ldsStores: 0, ldsBytes: 0, loads: 0, stores: 0, loadBytes: 0 },
  ...{ scalarLoads: 0, waits: 0, barriers: 0, matrices: 0 },
};

export function countsOf(list: readonly Instruction[], wave: number, chip: Chip): Counts {
  const tally: Tally = { ...EMPTY };
  for (const { op, rest } of list) {
    if (/^ds_(?!permute|bpermute|swizzle)/.test(op)) countShared(tally, op, wave);
    else if (/^(?:buffer|global|flat|scratch)_/.test(op)) countMemory(tally, op, wave);
    else if (/^s_(?:buffer_)?load/.test(op)) tally.scalarLoads++;
    else if (/^s_wait/.test(op)) tally.waits++;
    else if (/^s_barrier(?!_wait)/.test(op)) tally.barriers++;
    else if (op.startsWith("v_")) countVector(tally, op, rest, { wave, chip });
  }
  return tally;
}

function countShared(tally: Tally, op: string, wave: number): void {
  if (/store|write/.test(op)) tally.ldsStores++;
  else tally.ldsLoads++;
  tally.ldsBytes += bytesOf(op) * wave;
}

function countMemory(tally: Tally, op: string, wave: number): void {
  if (op.includes("store")) tally.stores++;
  else if (op.includes("load")) {
    tally.loads++;
    tally.loadBytes += bytesOf(op) * wave;
  }
}

interface Issue {
  readonly wave: number;
  readonly chip: Chip;
}

function countVector(tally: Tally, op: string, rest: string, issue: Issue): void {
  const fma = fmasOf(op, rest, issue.wave);
  const { paired, single } = vectorCycles(op, issue);
  tally.vector++;
  if (isMatrix(op)) tally.matrices++;
  tally.cyclesPaired += paired;
  tally.cycles += single;
  tally.fma += fma * issue.wave;
  if (fma === 0) return;
  tally.fmaCyclesPaired += paired;
  tally.fmaCycles += single;
}

const SIZES: Readonly<Record<string, number>> = {
  ...{ b8: 1, u8: 1, i8: 1, b16: 2, u16: 2, i16: 2, b32: 4, dword: 4, b64: 8, dwordx2: 8 },
  ...{ b96: 12, dwordx3: 12, b128: 16, dwordx4: 16 },
};

/** Bytes that an instruction moves for one lane. */
function bytesOf(op: string): number {
  const name = /_(?:st64_|stride64_)?(dwordx?\d?|[bui]\d+)(?:_\w+)?$/.exec(op.replace(/_d16|_hi/g, ""))?.[1];
  const size = SIZES[name ?? ""] ?? 4;
  return /2addr|read2|write2/.test(op) ? 2 * size : size;
}

/** Multiply-accumulates of a 16x16x16 matrix instruction. */
export const MATRIX = 4096;
const isMatrix = (op: string) => /^v_s?wmma/.test(op);

/** Multiply-accumulates that a lane gets from one instruction. LLVM prints both halves of a dual one on one line. */
function fmasOf(op: string, rest: string, wave: number): number {
  if (op.startsWith("v_dual")) return (`${op} ${rest}`.match(/dual_fma(?:c|ak|mk)?_f32/g) ?? []).length;
  if (isMatrix(op)) return MATRIX / wave;
  if (/^v_pk_fma|^v_dot2/.test(op)) return 2;
  return /^v_(?:fma|fmac|mac|mad|fmaak|fmamk|fma_mix|fma_mixlo|fma_mixhi)_(?:f32|f16|legacy)/.test(op) ? 1 : 0;
}

/** RDNA 3 issues these for a wave of 64 in one cycle where the operands' banks allow. */
const PAIRED = /^v_(?:fma|fmac|fmaak|fmamk|mul|add|sub|subrev|max|min|mov|cndmask|dot2acc|dot2c)_(?:f32|b32|f32_f16)/;

/** Cycles of the vector unit for a wave. */
export function vectorCycles(op: string, { wave, chip }: Issue): { readonly paired: number; readonly single: number } {
  const passes = wave / chip.lanes;
  const both = (cycles: number) => ({ paired: cycles, single: cycles });
  // 128 multiply-accumulates a clock and vector unit: twice what f32 reaches in pairs.
  if (isMatrix(op)) return both(MATRIX / 128);
  const slow = /^v_(?:rcp|rsq|sqrt|exp|log|sin|cos)_|^v_mul_(?:lo|hi)_[ui]32|^v_mad_[ui]64|_f64/.test(op);
  if (slow) return both(4 * passes);
  return { paired: chip.dual && wave === 64 && PAIRED.test(op) ? 1 : passes, single: passes };
}

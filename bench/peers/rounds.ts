import { spreadOf } from "../../src/bench/measure.ts";

/** Milliseconds of the reference kernel, of ours and of the peer's, one behind the other. */
export interface Round {
  readonly reference: number;
  readonly ours: number;
  readonly theirs: number;
}

/** One work against one peer. */
export interface PeerRow {
  readonly work: string;
  readonly peer: string;
  /** Milliseconds at the median. */
  readonly ours: number;
  readonly theirs: number;
  /** How many times faster we are: the median over rounds. */
  readonly ratio: number;
  /** The reference kernel's rate: what the machine gave meanwhile. */
  readonly refGflops: number;
  /** Rounds that count, of those made. */
  readonly kept: number;
  readonly rounds: number;
}

/** A round whose reference kernel ran slower than this share of its best was disturbed by other work. */
const UNDISTURBED = 0.6;

export const REFERENCE_FLOPS = 2 * 512 ** 3;

/** The rounds in which the reference kernel was about as fast as ever. */
export function undisturbed(rounds: readonly Round[]): Round[] {
  const best = Math.min(...rounds.map(({ reference }) => reference));
  return rounds.filter(({ reference }) => reference <= best / UNDISTURBED);
}

export function rowOf(work: string, peer: string, rounds: readonly Round[]): PeerRow {
  const kept = undisturbed(rounds);
  const median = (of: (round: Round) => number) => spreadOf(kept.map(of)).median;
  return {
    ...{ work, peer, ours: median(({ ours }) => ours), theirs: median(({ theirs }) => theirs) },
    ratio: median(({ ours, theirs }) => theirs / ours),
    refGflops: REFERENCE_FLOPS / median(({ reference }) => reference) / 1e6,
    ...{ kept: kept.length, rounds: rounds.length },
  };
}

/** Runs something once; milliseconds. */
export type Timed = () => Promise<number>;

/** Times the three in turns, after two untimed runs of each: libraries compile in the first and tune in the second. */
export async function timeRounds(timed: { readonly [P in keyof Round]: Timed }, count: number): Promise<Round[]> {
  for (let warm = 0; warm < 2; warm++) for (const run of [timed.reference, timed.ours, timed.theirs]) await run();
  const rounds: Round[] = [];
  for (let round = 0; round < count; round++) {
    const reference = await timed.reference();
    const ours = await timed.ours();
    rounds.push({ reference, ours, theirs: await timed.theirs() });
  }
  return rounds;
}

export const clocked =
  (run: () => Promise<unknown>): Timed =>
  async () => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };

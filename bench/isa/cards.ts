import type { Family } from "./chips.ts";

/** A card as the model sees it. Bandwidths and clocks are public round figures; none was measured by us. */
export interface Card {
  readonly name: string;
  /** Whose machine code stands for it. */
  readonly family: Family;
  /** Compute units, or streaming multiprocessors. */
  readonly units: number;
  /** GHz. */
  readonly clock: number;
  /** Multiply-accumulates of a unit in a clock. */
  readonly rate: number;
  /** Whatever may issue in pairs does. */
  readonly paired: boolean;
  /** NVIDIA's way: one instruction a clock and partition, for 32 lanes; registers guessed from AMD's. */
  readonly nvidia: boolean;
  /** Parts of a unit that issue by themselves. */
  readonly issuers: number;
  /** GB/s. */
  readonly memory: number;
  /** GB/s of the second-level cache. */
  readonly cache: number;
  /** NVIDIA: products of f16 with f32 sums that the matrix units of a unit do in a clock; AMD's are in the listing. */
  readonly matrixRate?: number;
  /** Bytes of workgroup memory a clock and unit. */
  readonly shared: number;
}

const XTX = {
  family: "navi31",
  units: 96,
  clock: 2.5,
  nvidia: false,
  issuers: 2,
  memory: 960,
  cache: 4500,
  shared: 128,
} as const;

/** By the names that `--card` takes. */
export const CARDS = {
  "4090": {
    name: "RTX 4090 class",
    family: "navi31",
    units: 128,
    clock: 2.52,
    rate: 128,
    paired: true,
    nvidia: true,
    issuers: 4,
    matrixRate: 256,
    memory: 1008,
    cache: 5000,
    shared: 128,
  },
  xtx: { ...XTX, name: "RX 7900 XTX, dual issue", rate: 128, paired: true },
  xtx1: { ...XTX, name: "RX 7900 XTX, single issue", rate: 64, paired: false },
  "6900": {
    name: "RX 6900 XT",
    family: "navi21",
    units: 80,
    clock: 2.25,
    rate: 64,
    paired: false,
    nvidia: false,
    issuers: 2,
    memory: 512,
    cache: 2500,
    shared: 128,
  },
} as const satisfies Readonly<Record<string, Card>>;

export type CardName = keyof typeof CARDS;

export const CARD_NAMES = Object.keys(CARDS) as readonly CardName[];

/** GFLOP/s of f32 at the clock above. */
export const peakOf = ({ units, rate, clock }: Card): number => 2 * units * rate * clock;

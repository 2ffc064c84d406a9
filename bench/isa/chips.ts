/** What the counting of cycles has to know of a family of AMD's chips. */
export interface Chip {
  /** Lanes of one vector unit. */
  readonly lanes: number;
  /** Vector units that share workgroup memory. */
  readonly simds: number;
  /** RDNA 3 and later: two operations of a wave of 64, or a pair of one of 32, may issue in one clock. */
  readonly dual: boolean;
  /** Bytes of workgroup memory a clock. */
  readonly ldsBytes: number;
}

/** Families that RADV makes a device of without hardware, by its names. */
export const CHIPS = {
  navi21: { lanes: 32, simds: 2, dual: false, ldsBytes: 128 },
  navi31: { lanes: 32, simds: 2, dual: true, ldsBytes: 128 },
} as const satisfies Readonly<Record<string, Chip>>;

export type Family = keyof typeof CHIPS;

export const FAMILIES = Object.keys(CHIPS) as readonly Family[];

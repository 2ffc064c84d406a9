import type { SvanetConfig } from "./config.ts";

export interface Ablation {
  /** What the variant is, in words. */
  readonly label: string;
  /** The paper's table; null where the variant is only in the public scripts. */
  readonly table: "IV" | "V" | "VI" | "VIII" | "IX" | "X" | null;
  /** Row of that table from the top, counted from 1. */
  readonly row: number;
  /** Applied on top of a preset. */
  readonly changes: Partial<SvanetConfig>;
}

const BARE = { formerBefore: false, formerAfter: false } as const;
const UNGUIDED = { ...BARE, guidance: false, svMode: "none" } as const;

/** Every variant the paper and the public scripts compare. A literal list: `ablate` walks it by table. */
export const ABLATIONS = {
  "t4-baseline": { label: "baseline", table: "IV", row: 1, changes: { ...UNGUIDED, neck: false } },
  "t4-neck": { label: "+ MCBottleneck", table: "IV", row: 2, changes: { ...UNGUIDED, neckAttention: "none" } },
  "t4-neck-mc": { label: "+ MCAttn", table: "IV", row: 3, changes: UNGUIDED },
  "t4-guidance": { label: "+ cross-scale guidance", table: "IV", row: 4, changes: { ...BARE, svMode: "none" } },
  "t4-svattn": { label: "+ SvAttn", table: "IV", row: 5, changes: BARE },
  "t4-full": { label: "+ AssemFormer (full)", table: "IV", row: 6, changes: {} },
  "t5-none": { label: "no attention in MCBottleneck", table: "V", row: 1, changes: { neckAttention: "none" } },
  "t5-se": { label: "squeeze-excitation", table: "V", row: 2, changes: { neckAttention: "se" } },
  "t5-cbam": { label: "CBAM", table: "V", row: 3, changes: { neckAttention: "cbam" } },
  "t5-coord": { label: "coordinate attention", table: "V", row: 4, changes: { neckAttention: "coord" } },
  "t5-mc": { label: "MCAttn", table: "V", row: 5, changes: { neckAttention: "mc" } },
  "t6-12": { label: "pool sizes 1, 2", table: "VI", row: 1, changes: { mcSizes: [1, 2] } },
  "t6-123": { label: "pool sizes 1, 2, 3", table: "VI", row: 2, changes: { mcSizes: [1, 2, 3] } },
  "t6-23": { label: "pool sizes 2, 3", table: "VI", row: 3, changes: { mcSizes: [2, 3] } },
  "t6-1234": { label: "pool sizes 1, 2, 3, 4", table: "VI", row: 4, changes: { mcSizes: [1, 2, 3, 4] } },
  "t8-none-none": { label: "no attention anywhere", table: "VIII", row: 1, changes: { neckAttention: "none" } },
  "t8-se-se": {
    label: "SE in MCBottleneck and AssemFormer",
    table: "VIII",
    row: 2,
    changes: { neckAttention: "se", formerGateBefore: "se", formerGateAfter: "se" },
  },
  "t8-mc-mc": {
    label: "MCAttn in MCBottleneck and AssemFormer",
    table: "VIII",
    row: 3,
    changes: { formerGateBefore: "mc", formerGateAfter: "mc" },
  },
  "t8-mc-none": { label: "MCAttn in MCBottleneck only", table: "VIII", row: 4, changes: {} },
  "t9-neither": { label: "no AssemFormer", table: "IX", row: 1, changes: BARE },
  "t9-before": { label: "AssemFormer before concatenation", table: "IX", row: 2, changes: { formerAfter: false } },
  "t9-after": { label: "AssemFormer after concatenation", table: "IX", row: 3, changes: { formerBefore: false } },
  "t9-both": { label: "AssemFormer before and after", table: "IX", row: 4, changes: {} },
  "t10-direct": { label: "direct prediction", table: "X", row: 1, changes: { link: "none" } },
  "t10-add": { label: "addition", table: "X", row: 2, changes: { link: "add" } },
  "t10-concat": { label: "concatenation", table: "X", row: 3, changes: { link: "concat" } },
  "sv-none": { label: "guidance without attention", table: null, row: 1, changes: { svMode: "none" } },
  "sv-source": { label: "attention from the source map", table: null, row: 2, changes: { svMode: "source" } },
  "sv-mean": { label: "attention from global means", table: null, row: 3, changes: { svMode: "mean" } },
  "sv-max": { label: "attention from global maxima", table: null, row: 4, changes: { svMode: "max" } },
  "sv-scale": { label: "SvAttn: attention from the regions of all scales", table: null, row: 5, changes: {} },
} as const satisfies Record<string, Ablation>;

export type AblationName = keyof typeof ABLATIONS;

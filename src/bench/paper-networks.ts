import { type PaperCost, paperCost } from "../experiment/study/paper.ts";
import { fromZoo } from "../model/zoo.ts";

/** The networks of the paper's Table VII in its order, each in the form whose counts come nearest to the paper's. */
export const TABLE_VII = [
  "unet",
  "unetpp",
  "pranet-resnet50",
  "hrnet-single",
  "nnunet",
  "cfanet-resnet50",
  "transnetr-full",
  "svanet",
] as const;

/** What the paper's Table VII says of a network, and what every row of costs says of it. */
export interface PaperSide {
  /** As in the paper's tables. */
  readonly name: string;
  readonly preset: string;
  readonly paper: PaperCost | null;
  /** Why the paper's counts are other than ours; null where they are not. */
  readonly difference: string | null;
}

export function paperSide(preset: string): PaperSide {
  const { paper: name, difference = null } = fromZoo(preset);
  return { name, preset, paper: paperCost(name) ?? null, difference };
}

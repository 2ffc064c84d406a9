import { type PaperCost, paperCost } from "../experiment/study/paper.ts";
import { fromZoo } from "../model/zoo.ts";

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

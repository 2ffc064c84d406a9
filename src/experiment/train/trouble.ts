import type { BestBy } from "../settings/config.ts";

/** What is wrong with a finished run. */
export interface Trouble {
  /** `diverged`: its last loss was no number. `nothing-found`: it never predicted a foreground pixel. */
  readonly kind: "diverged" | "nothing-found";
  /** What happened. */
  readonly text: string;
  /** What to do. */
  readonly hint: string;
}

/** How a run ended. */
interface Ending {
  /** Loss of the last update of this process; 0 where it made none. */
  readonly lastLoss: number;
  /** Whether any validation of this process predicted a foreground pixel; null where there was none. */
  readonly found: boolean | null;
  /** The best score of all validations, percent, by {@link bestBy}; null without any. */
  readonly best: number | null;
  readonly bestBy: BestBy;
}

/** Why a finished run is nothing to be glad of; null where nothing is known against it. */
export function troubleOf({ lastLoss, found, best, bestBy }: Ending): Trouble | null {
  if (!Number.isFinite(lastLoss)) {
    return {
      kind: "diverged",
      text: "the run has diverged: its last loss is not finite; the state before it is kept",
      hint: "start again with a lower --lr, or with --clip-norm 1",
    };
  }
  // What an earlier process of the run found is known by its score alone, and only where that leaves the background out.
  const foundBefore = bestBy === "foreground-dice" && best !== null && best > 0;
  if (found !== false || foundBefore) return null;
  return {
    kind: "nothing-found",
    text: "no validation found a single foreground pixel: only the background was learnt",
    hint: "try more steps, a higher --lr, --dice-weight 1 or --foreground-crops 0.5",
  };
}

import { Evaluation } from "../../metrics/evaluation.ts";
import { ExtendedEvaluation } from "../../metrics/extended.ts";
import { RocHistogram } from "../../metrics/roc.ts";
import type { ImageShares } from "../../metrics/strata.ts";
import { SURFACE_TOLERANCE } from "../../metrics/surface.ts";
import type { Labels } from "../../metrics/totals.ts";
import type { EvaluatedMap, EvaluationResult, ScoredAt, ScoreOptions } from "./scores.ts";
import { spacingOf } from "./spacing.ts";
import { VolumeScores } from "./volume-scores.ts";

/** Everything that is counted over a split. */
export class Counting {
  readonly #classes: number;
  readonly #scoredAt: ScoredAt;
  readonly #evaluation: Evaluation;
  readonly #extended: ExtendedEvaluation | null;
  readonly #volumes: VolumeScores;
  readonly #foreground: RocHistogram | null;
  readonly #rest: RocHistogram | null;

  constructor({ samples, classes, area, limits, extended, roc }: ScoreOptions, scoredAt: ScoredAt) {
    this.#classes = classes;
    this.#scoredAt = scoredAt;
    this.#evaluation = new Evaluation({
      classes,
      ...(area ? { area } : {}),
      ...(limits ? { limits } : {}),
      keep: extended !== undefined,
    });
    const unit = samples.length > 0 && samples.every(({ spacing }) => spacing !== undefined) ? "mm" : "px";
    this.#extended = extended ? new ExtendedEvaluation({ classes, unit, ...extended }) : null;
    const tolerance = extended === undefined ? null : (extended.tolerance ?? SURFACE_TOLERANCE);
    this.#volumes = new VolumeScores(samples, classes, tolerance);
    this.#foreground = roc ? new RocHistogram() : null;
    this.#rest = roc && classes > 2 ? new RocHistogram() : null;
  }

  /** Counts one image; false for one that is ignored as a whole. `shares`: of the mask at its own size. */
  add(map: EvaluatedMap, shares: ImageShares): boolean {
    const { sample, prediction, target, height, width } = map;
    const row = this.#evaluation.add(prediction, target, { name: sample.stem, height, width, shares });
    this.#volumes.add(map);
    if (row === undefined) return false;
    const spacing = spacingOf(sample, { height, width });
    this.#extended?.add(prediction, target, { height, width, strata: row.strata, spacing });
    return true;
  }

  /** One image fewer to come: it could not be read. */
  leaveOut({ volume }: EvaluatedMap["sample"]): void {
    if (volume) this.#volumes.leaveOut(volume.name);
  }

  /** Counts class probabilities `[pixels, classes]` of pixels of an image that {@link add} counted. */
  addScores(scores: Float32Array, target: Labels): void {
    this.#foreground?.addForeground(scores, target, this.#classes);
    this.#rest?.addOneVersusRest(scores, target, this.#classes);
  }

  result(): EvaluationResult {
    const strata = this.#evaluation.strata();
    const cases = this.#volumes.result();
    return {
      scoredAt: this.#scoredAt,
      strata,
      images: this.#evaluation.images,
      ignored: this.#evaluation.ignored,
      ...(this.#foreground ? { roc: this.#foreground.curve() } : {}),
      ...(this.#rest ? { rocClasses: this.#rest.curve() } : {}),
      ...(this.#extended ? { extended: this.#extended.result(Object.keys(strata), this.#evaluation.kept) } : {}),
      ...(cases ? { cases } : {}),
    };
  }
}

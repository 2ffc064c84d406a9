import { scoredAtText } from "../experiment/evaluate/scores.ts";
import { RunPages } from "../experiment/report/run-page.ts";
import type { BestBy } from "../experiment/settings/config.ts";
import type { StepState, TrainObserver } from "../experiment/train/train-observer.ts";
import { note } from "./print.ts";
import { createProgress, type Progress } from "./progress.ts";
import { figure } from "./units.ts";

/** Mixed precision in the line: the loss scale, and the steps it has cost. */
const scalingText = ({ lossScale, skippedSteps }: NonNullable<StepState["scaling"]>) => ({
  scale: String(lossScale),
  skipped: String(skippedSteps),
});

/** Shows a training run: a bar with loss, Dice, speed and waiting share, and a line for each validation; keeps the page of each run. */
export function watchTraining(label = "training"): TrainObserver & { stop(): void } {
  let bar: Progress | null = null;
  const quiet = (text: string) => {
    bar?.stop();
    bar = null;
    note(text);
  };
  const pages = new RunPages(quiet);
  return {
    note: quiet,
    step(state) {
      bar ??= createProgress({ label, total: state.steps, start: state.step - 1 });
      bar.update(state.step, {
        loss: state.loss.toFixed(4),
        Dice: figure(state.dice),
        ...(state.scaling === null ? {} : scalingText(state.scaling)),
        "images/s": state.imagesPerSecond.toFixed(1),
        "waiting for data": `${(100 * state.waiting).toFixed(0)} %`,
      });
    },
    validated({ epoch, result, best, bestBy }) {
      const { all } = result.strata;
      const start = `epoch ${epoch + 1}: validation ${scoredAtText(result.scoredAt)}:`;
      if (all && all.images === all.emptyImages) {
        quiet(`${start} foreground Dice -, mIoU -: no label map of val holds an object`);
        return;
      }
      const mark = (by: BestBy) => (best && bestBy === by ? " (best so far)" : "");
      quiet(
        `${start} foreground Dice ${figure(all?.foregroundDice)} %${mark("foreground-dice")}, ` +
          `mIoU ${figure(all?.mIoU)} %${mark("miou")}`,
      );
    },
    saved: (folder, moment) => (moment === "over" ? pages.finish(folder) : pages.update(folder)),
    stop() {
      bar?.stop();
    },
  };
}

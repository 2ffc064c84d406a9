import type { StepState, TrainObserver } from "../experiment/train/train-observer.ts";
import { note } from "./print.ts";
import { createProgress, type Progress } from "./progress.ts";
import { figure } from "./units.ts";

/** Mixed precision in the line: the loss scale, and the steps it has cost. */
const scalingText = ({ lossScale, skippedSteps }: NonNullable<StepState["scaling"]>) => ({
  scale: String(lossScale),
  skipped: String(skippedSteps),
});

/** Shows a training run: a bar with loss, Dice, speed and waiting share, and a line for each validation. */
export function watchTraining(label = "training"): TrainObserver & { stop(): void } {
  let bar: Progress | null = null;
  const quiet = (text: string) => {
    bar?.stop();
    bar = null;
    note(text);
  };
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
    validated({ epoch, result, best }) {
      const { all } = result.strata;
      if (all && all.images === all.emptyImages) {
        quiet(`epoch ${epoch + 1}: validation mIoU -, mDice -, foreground Dice -: no label map of val holds an object`);
        return;
      }
      quiet(
        `epoch ${epoch + 1}: validation mIoU ${figure(all?.mIoU)}, mDice ${figure(all?.mDice)}, ` +
          `foreground Dice ${figure(all?.foregroundDice)} %${best ? " (best so far)" : ""}`,
      );
    },
    stop() {
      bar?.stop();
    },
  };
}

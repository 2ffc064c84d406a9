import { stringify } from "yaml";
import { packageInfo } from "../../package-info.ts";
import { binary } from "../../training/fit.ts";
import { visibleInLine } from "../../visible.ts";
import { diameterOf } from "./fingerprint.ts";
import type { Choice, Plan } from "./plan.ts";
import { pixelsText, type View } from "./rules.ts";

/** What is written behind a reason that is a rule of thumb. */
const THUMB = "rule of thumb";

/** `whole images, 256x256`, `whole images, 512x512 (the paper's)`, `patches, 256x256`. */
export function viewName({ kind, size: { width, height } }: View): string {
  const isPaper = kind === "whole" && width === 512 && height === 512;
  return `${kind === "whole" ? "whole images" : "patches"}, ${width}x${height}${isPaper ? " (the paper's)" : ""}`;
}

/** A reason as it is printed and written. */
export const reasonText = ({ reason, ruleOfThumb }: Choice): string => (ruleOfThumb ? `${reason} (${THUMB})` : reason);

/** What was measured, in sentences. */
export function fingerprintLines({ fingerprint, memory }: Plan): string[] {
  const { images, validation, width, height, spacing, classes, objects, intensities } = fingerprint;
  const range = ({ least, most }: { least: number; most: number }, digits = 0) =>
    least === most ? least.toFixed(digits) : `${least.toFixed(digits)} to ${most.toFixed(digits)}`;
  const shares = classes.map(({ name, share, images: holding }) => {
    const percent = Number((100 * share).toPrecision(2));
    return `${visibleInLine(name)} ${percent} % (in ${holding} images)`;
  });
  const wide = (pixels: number) => `${pixelsText(pixels)} (${diameterOf(pixels).toFixed(1)} wide)`;
  const levels = (values: readonly number[]) => values.map((value) => value.toFixed(3)).join(", ");
  return [
    `${images} training and ${validation} validation images, ${range(width)} pixels wide (median ${Math.round(width.median)}) and ` +
      `${range(height)} high (median ${Math.round(height.median)})` +
      (spacing === null ? "" : `, ${range(spacing, 3)} mm a pixel`),
    objects === null
      ? "no object in the training masks"
      : `${objects.count} objects: the 10 % smallest have up to ${wide(objects.smallestTenth)}, half up to ${wide(objects.median)}, ` +
        `the 10 % largest from ${wide(objects.largestTenth)} on`,
    `share of the pixels: ${shares.join(", ")}`,
    `intensities, 0 black to 1 white: mean ${levels(intensities.mean)}, deviation ${levels(intensities.std)}`,
    `memory: ${binary(memory.bytes)} (${memory.source})`,
  ];
}

/**
 * A plan as a YAML file of training settings, each with its reason above it: what `svanet train --config` reads, and what a person may
 * change. `data` is the folder it was made for.
 */
export function planYaml(plan: Plan, data: string): string {
  const { views, chosen, choices, notes } = plan;
  const comment = (text: string) => `# ${visibleInLine(text)}`;
  const kept = views.map(
    (view) => `#   ${viewName(view)}: ${pixelsText(view.smallestTenth)}${view === chosen ? " (chosen)" : ""}`,
  );
  const setting = (choice: Choice) => [
    comment(reasonText(choice)),
    stringify({ [choice.setting]: choice.value }, { lineWidth: 0 }).trimEnd(),
  ];
  return [
    comment(
      `planned by svanet ${packageInfo().version}; change what you know better, then: svanet train --config plan.yaml --out RUN`,
    ),
    ...fingerprintLines(plan).map(comment),
    ...(plan.fingerprint.objects === null
      ? []
      : ["# pixels that the 10 % smallest objects keep at the network's input:", ...kept]),
    ...notes.map((note) => comment(`note: ${note}`)),
    "",
    stringify({ data }).trimEnd(),
    ...choices.flatMap(setting),
    "",
  ].join("\n");
}

import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { instanceFileOf } from "../../data/dataset/instance-files.ts";
import { UsageError } from "../../errors.ts";
import { runOf } from "../../experiment/checkpoint/load-run.ts";
import { ObjectEvaluation } from "../../experiment/evaluate/object-evaluation.ts";
import type { ObjectResult, ObjectTruth } from "../../experiment/evaluate/scores.ts";
import { writeSeparation } from "../../experiment/evaluate/separation.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import type { ObjectScore } from "../../metrics/object-scores.ts";
import { partingDepths, partingRule } from "../predictor-flags.ts";
import { note, printLine, printTable } from "../print.ts";
import { figure } from "../units.ts";
import { type EvalFlags, sizeOf } from "./eval-flags.ts";

interface Work {
  readonly path: string;
  readonly data: string;
  readonly flags: EvalFlags;
  readonly facts: CheckpointFacts;
  readonly samples: readonly CheckedSample[];
}

/**
 * What compares single objects, where the flags leave it in. UsageError where depths are to be chosen and no image tells its
 * objects apart.
 */
export function objectEvaluation({ path, data, flags, facts, samples }: Work): ObjectEvaluation | undefined {
  if (sizeOf(flags) !== "native" || flags.extended === false) return undefined;
  const choose = flags.chooseSeparate === true;
  if (choose && !samples.some((sample) => existsSync(instanceFileOf(sample)))) {
    throw new UsageError(
      `--choose-separate: ${data} has no single objects in instances/, only masks in which touching objects are one; ` +
        "give a depth, as in --separate 0.75, or prepare a set that numbers its objects (docs/data.md)",
    );
  }
  return new ObjectEvaluation({ classes: facts.classes, depths: partingDepths(path, facts, flags) ?? [], choose });
}

/** Stores what was chosen, and says it. */
export function storeSeparation({ path, data, flags, facts }: Work, { choice }: ObjectEvaluation): void {
  if (!choice) return;
  const rules = choice.rules();
  const chosenOn = { data, split: flags.split, images: choice.images, checkpoint: basename(path) };
  const file = writeSeparation(runOf(path), { chosenOn, rules });
  for (const { name, depth, pq } of rules) {
    const rule = depth === null ? "touching objects stay one" : partingRule(depth, facts);
    const [before, after] = [pq.before, pq.after].map((value) => figure(value ?? Number.NaN));
    note(`${name}: ${rule} (panoptic quality of ${choice.images} images ${before} -> ${after})`);
  }
  note(`written: ${file}; svanet predict --separate and svanet eval --separate apply it`);
}

const TRUTHS: Readonly<Record<ObjectTruth, string>> = {
  instances: "the set's own (instances/)",
  components: "connected components of the masks: touching objects are one",
  mixed: "the set's own where instances/ has them, else connected components",
};

/** The tables of single objects, and how they came about. */
export function printObjectScores(result: ObjectResult, classes: readonly string[]): void {
  printLine("");
  printLine("Single objects, images scored at their own size:");
  const rows = [
    ...(result.classes.length > 1 ? [{ name: "mean", score: result.all }] : []),
    ...result.classes.map((score) => ({ name: classes[score.class] ?? `class ${score.class}`, score })),
  ];
  const column = (title: string, cell: (score: ObjectScore) => string) => ({
    title,
    cell: (row: (typeof rows)[number]) => cell(row.score),
    align: "right" as const,
  });
  const at = ({ overlaps }: ObjectScore, least: number) => overlaps.find(({ overlap }) => overlap === least)?.ap;
  printTable(
    [
      { title: "objects of", cell: ({ name }) => name },
      column("in masks", ({ truth }) => String(truth)),
      column("predicted", ({ predicted }) => String(predicted)),
      column("PQ", ({ pq }) => figure(pq)),
      column("SQ", ({ sq }) => figure(sq)),
      column("RQ", ({ rq }) => figure(rq)),
      column("AP 0.5", (score) => figure(at(score, 0.5))),
      column("AP 0.75", (score) => figure(at(score, 0.75))),
      column("AP", ({ ap }) => figure(ap)),
      column("COCO AP", ({ cocoAp }) => figure(cocoAp)),
    ],
    rows,
  );
  printTable(
    [
      { title: "counts of", cell: ({ name }) => name },
      column("images", ({ counts }) => String(counts.images)),
      column("bias", ({ counts }) => figure(counts.bias)),
      column("95 % limits of agreement", ({ counts }) => `${figure(counts.low)} .. ${figure(counts.high)}`),
      column("mean |error|", ({ counts }) => figure(counts.absolute)),
    ],
    rows,
  );
  const parted = result.depths.some((depth) => depth !== null);
  note(`Objects in masks: ${TRUTHS[result.truth]}. Predicted ones: connected components${parted ? ", parted" : ""}.`);
  note(
    "AP: matched / (matched + missed + wrong), 0.5 to 0.95; COCO AP ranks objects by mean probability. Counts: predicted",
  );
  note("less labelled, image by image (Bland and Altman). Definitions: docs/scores.md.");
}

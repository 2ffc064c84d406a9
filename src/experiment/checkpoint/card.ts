import { z } from "zod";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { traceNetwork } from "../../model/zoo.ts";
import { visibleInLine } from "../../visible.ts";
import type { CardRun, CardScores } from "./card-sources.ts";

const sizeSchema = z.strictObject({ width: z.int(), height: z.int() });

/** Images below which a stratum's figure is called unsure. */
const FEW = 10;
/** Overlap from which on an object counts as found. */
const FOUND = 0.5;

/** What the person who shares a checkpoint says of it. */
export interface CardWords {
  /** Its heading, such as the file's name. */
  readonly title: string;
  /** Licence of the weights, such as `CC-BY-4.0`; undefined where nobody said. */
  readonly licence: string | undefined;
  /** Whether the weights come from another program. */
  readonly foreign: boolean;
}

/**
 * The model card of a checkpoint as Markdown, with the front matter that model hubs read: what it is, its data, its recipe,
 * scores by size, limits and licence. Nothing in it is asked of a person but the licence, and what is not known is said to be
 * so. Paths, hosts and commands stay out of it.
 */
export function modelCard(facts: CheckpointFacts, run: CardRun, words: CardWords): string {
  const sections = [
    frontMatter(words),
    `# ${cell(words.title)}`,
    what(facts),
    `## Data\n\n${data(facts, run)}`,
    `## Training\n\n${training(facts, run, words)}`,
    `## Scores by size\n\n${scores(run)}`,
    `## Limits\n\n${limits(facts, run)}`,
    `## Licence\n\n${licence(words)}`,
  ];
  return `${sections.join("\n\n")}\n`;
}

function frontMatter({ licence: name }: CardWords): string {
  const known = name === undefined ? [] : [`license: ${JSON.stringify(name)}`];
  const lines = [...known, "library_name: svanet", "pipeline_tag: image-segmentation", "tags: [segmentation, svanet]"];
  return `---\n${lines.join("\n")}\n---`;
}

function what({ preset, config, classes, mean, std, channels, window, borders }: CheckpointFacts): string {
  const parameters = traceNetwork(config, { mode: "eval", batch: 2 }).build.parameters.count();
  return table(
    ["what", "value"],
    [
      ["network", `${preset}, ${parameters.toLocaleString("en")} parameters`],
      ["classes", classes.join(", ")],
      ...(borders === undefined ? [] : [["borders between objects", "an output of their own, the last"]]),
      ["channels", channels?.names.join(", ") ?? "red, green, blue"],
      ["images are resized to", `${config.width}x${config.height} pixels`],
      ["mean, deviation of pixels in 0 to 1", `${numbers(mean)}; ${numbers(std)}`],
      ...(window ? [["shown from, to", `${window.low}, ${window.high}`]] : []),
    ],
  );
}

function data({ progress }: CheckpointFacts, { data: name, files }: CardRun): string {
  if (name === undefined && files === undefined) {
    return progress.recipe === ""
      ? "Not known here: it was trained by another program."
      : "Not known: no run folder lies beside it.";
  }
  const counts = Object.entries(files?.counts ?? {}).map(([split, count]) => `${split} ${count}`);
  return table(
    ["what", "value"],
    [
      ...(name === undefined ? [] : [["data set", name]]),
      ...(files === undefined
        ? []
        : [
            ["image files", counts.join(", ")],
            ["SHA-256 of names and contents", files.digest],
          ]),
    ],
  );
}

function training({ progress }: CheckpointFacts, { software }: CardRun, { foreign }: CardWords): string {
  if (foreign || progress.recipe === "") return "By another program; converted by svanet.";
  const recipe = Object.entries(JSON.parse(progress.recipe) as Record<string, unknown>);
  const set = recipe.filter(([, value]) => value !== null && value !== false && !isEmpty(value));
  const { best: score, bestEpoch } = progress;
  const best =
    score === null || bestEpoch === null
      ? []
      : [["best score of val", `${score.toFixed(2)} % in epoch ${bestEpoch + 1}`]];
  const version = software
    ? `${software.version}${software.commit ? ` (${software.commit.slice(0, 12)})` : ""}`
    : "not known";
  return table(
    ["setting", "value"],
    [
      ["svanet", version],
      ...(software?.adapter ? [["GPU", software.adapter]] : []),
      ["steps done", String(progress.step)],
      ...best,
      ...set.map(([name, value]) => [name, settingText(name, value)]),
    ],
  );
}

/** A setting's value; of a file of weights its name, not where it lay. */
function settingText(name: string, value: unknown): string {
  const size = sizeSchema.safeParse(value);
  if (size.success) return `${size.data.width}x${size.data.height}`;
  if (typeof value !== "string") return JSON.stringify(value);
  return name === "weights" ? (value.split(/[/\\]/).at(-1) ?? value) : value;
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

function scores({ scores: found, unscored }: CardRun): string {
  if (found === undefined) {
    return `None are recorded${unscored === undefined ? "" : `: ${unscored}`}. \`svanet eval\` makes them.`;
  }
  const rows = strata(found).map(([name, { images, ...row }]) => [
    name === "all" ? "all" : `< ${name} %`,
    String(images),
    ...[row.foregroundDice, row.mDice, row.mIoU, row.sensitivity].map(percent),
  ]);
  const heading = ["largest object, of the image", "images", "foreground Dice", "mDice", "mIoU", "sensitivity"];
  const objects = found.lesions?.find(({ overlap }) => overlap === FOUND)?.bins.filter(({ truth }) => truth > 0) ?? [];
  const where = found.scoredAt === "native" ? "at the images' own size" : `at ${found.scoredAt}`;
  return [
    `Split ${found.split}, ${where}, in percent; docs/scores.md of svanet defines them.`,
    table(heading, rows),
    ...(objects.length === 0
      ? []
      : [
          table(
            [`objects of, % of the image`, "in masks", `found at IoU ${FOUND}`],
            objects.map(({ from, to, truth, found: hits }) => [`${from} to ${to}`, String(truth), String(hits)]),
          ),
        ]),
  ].join("\n\n");
}

function limits({ classes }: CheckpointFacts, { scores: found }: CardRun): string {
  const few =
    found === undefined ? [] : strata(found).filter(([, { images, emptyImages }]) => images - emptyImages < FEW);
  const unsure = few.map(([name, { images, emptyImages }]) => {
    const size = name === "all" ? "any size" : `under ${name} % of the image`;
    const count = images - emptyImages;
    return count === 0
      ? `Objects of ${size} were not in the images scored: nothing is known of them.`
      : `Objects of ${size} are measured on ${count} image${count === 1 ? "" : "s"}: that figure is unsure.`;
  });
  const chosen = found?.split === "val" ? ["The images scored also chose the checkpoint: expect less on others."] : [];
  return [
    ...(found === undefined ? ["How good it is has not been measured by this program."] : []),
    ...unsure,
    ...chosen,
    `It knows ${classes.slice(1).map(cell).join(", ")} and background, nothing else; other devices, stains, sites and people than those of its data were not tried.`,
    "It is no medical device and was not validated for decisions about patients.",
    "Weights can hold what they learnt of training images.",
  ]
    .map((line) => `- ${line}`)
    .join("\n");
}

function licence({ licence: name }: CardWords): string {
  return name === undefined
    ? "Not stated. Ask whoever trained it before you use it or pass it on."
    : `${cell(name)}. Terms of the training data apply beside it.`;
}

const limitOf = (name: string): number => (name === "all" ? Number.POSITIVE_INFINITY : Number(name));

const strata = ({ strata: found }: CardScores) =>
  Object.entries(found).sort(([one], [two]) => limitOf(one) - limitOf(two));

const percent = (value: number | null): string => (value === null ? "-" : value.toFixed(2));

const numbers = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(", ");

/** What Markdown would take for the edge of a cell, code, a tag or a link. */
const MARKUP = /[|`\\]|<(?=[a-z/!?])|\](?=[([])/gi;

/** A text that stays in its cell, whoever wrote it. */
const cell = (text: string): string => visibleInLine(text).replace(MARKUP, (mark) => `\\${mark}`);

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...rows.map((row) => line(row.map(cell)))].join("\n");
}

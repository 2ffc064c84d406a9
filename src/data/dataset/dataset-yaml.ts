import { readFile } from "node:fs/promises";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { MOST_CHANNELS } from "../../model/definition.ts";
import { nearestName } from "../../nearest.ts";
import { areColours, type ChannelPlan, channelNames, channelsText, channelWindows } from "../channels.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { Window } from "../formats/window.ts";
import { parseYaml, YamlFault } from "../yaml-text.ts";

const byte = z.int().min(0).max(255);
const HEX_COLOUR = /^#[0-9a-f]{6}$/i;

const colour = z.union([
  z.tuple([byte, byte, byte]),
  z
    .string()
    .regex(HEX_COLOUR, "a colour is [red, green, blue] with 0..255 or #rrggbb")
    .transform((text): [number, number, number] => {
      const value = Number.parseInt(text.slice(1), 16);
      return [value >> 16, (value >> 8) & 255, value & 255];
    }),
]);

const WINDOW_FORMS =
  "a window is {low: A, high: B} with A below B, or a list of one for each channel, {low: A, high: B} or percentiles";

const channel = z.number().min(0).max(1);
const spread = z.number().positive().max(1);

/** `low` is shown black and `high` white; in the scans' own values, of CT Hounsfield units. */
const window = z
  .strictObject({ low: z.number(), high: z.number() })
  .refine(({ low, high }) => high > low, "high must lie above low");

const millimetres = z.number().positive();

const schema = z.strictObject({
  name: z.string().min(1).optional(),
  /** Names by class index, background first. */
  classes: z.array(z.string().min(1)).min(2).max(255).optional(),
  colours: z.array(colour).optional(),
  modality: z.string().optional(),
  /** Per channel, of pixels in [0, 1]. */
  mean: z.array(channel).min(1).max(MOST_CHANNELS).optional(),
  std: z.array(spread).min(1).max(MOST_CHANNELS).optional(),
  licence: z.string().optional(),
  /** Names of the images' channels, where they are not red, green and blue. */
  channels: channelNames.optional(),
  /** The pages of an image file are its channels. */
  pages: z.boolean().optional(),
  /**
   * What pictures of more than 8 bits are shown through, or each of their channels; without it each through its own
   * percentiles.
   */
  window: z.union([window, channelWindows], WINDOW_FORMS).optional(),
  /** Millimetres between columns and between rows of all pictures. */
  spacing: z.tuple([millimetres, millimetres]).optional(),
  /**
   * The volumes whose slices the images called `<volume>_<number>` are, such as `case_01_0042`; with millimetres between
   * columns, rows and slices where they are known.
   */
  volumes: z
    .record(
      z.string(),
      z.strictObject({ spacing: z.tuple([millimetres, millimetres, millimetres]).optional() }).nullable(),
    )
    .optional(),
  /**
   * How the folder was made: source, command, seed, settings; written by `svanet data prepare`, read by people. Only the
   * window that all scans were shown through is read by programs.
   */
  provenance: z.looseObject({ window: window.optional() }).optional(),
});

export interface DatasetYaml {
  readonly name?: string | undefined;
  readonly classes?: readonly string[] | undefined;
  readonly colours?: readonly Rgb[] | undefined;
  readonly modality?: string | undefined;
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  readonly licence?: string | undefined;
  readonly window?: Window | undefined;
  /** What the channels are, where they are not red, green and blue; with a window for each where the file has them. */
  readonly channels?: ChannelPlan | undefined;
  readonly spacing?: readonly [column: number, row: number] | undefined;
  readonly volumes?:
    | Readonly<Record<string, { readonly spacing?: readonly [number, number, number] | undefined } | null>>
    | undefined;
  readonly provenance?: (Readonly<Record<string, unknown>> & { readonly window?: Window | undefined }) | undefined;
}

const KNOWN = Object.keys(schema.shape);

function unknownKey(key: string): string {
  const nearest = nearestName(key, KNOWN);
  const hint = nearest === undefined ? `known: ${KNOWN.join(", ")}` : `did you mean "${nearest}"?`;
  return `unknown key "${key}"; ${hint}`;
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return issue.keys.map(unknownKey).join("; ");
  return `${issue.path.join(".") || "the file"}: ${issue.message}`;
}

/**
 * Reads and checks the optional `dataset.yaml`, what a dataset says about itself; undefined where the file does not
 * exist. Throws DataError naming key and value; an unknown key is refused with the nearest known one.
 */
export async function readDatasetYaml(file: string): Promise<DatasetYaml | undefined> {
  requireRegularFile(file);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new DataError(`${file}: cannot be read (${String(error)})`);
  }
  let content: unknown;
  try {
    content = parseYaml(text).value;
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error;
    const place = error.line === undefined ? file : `${file} line ${error.line}`;
    throw new DataError(`${place}: this is not valid YAML: ${error.message}`);
  }
  const result = schema.safeParse(content ?? {});
  if (!result.success) throw new DataError(`${file}: ${result.error.issues.map(describe).join("; ")}`);
  const { classes, colours, mean, std } = result.data;
  if (classes !== undefined && colours !== undefined && colours.length !== classes.length) {
    throw new DataError(
      `${file}: ${colours.length} colours for ${classes.length} classes (${classes.join(", ")}); give one colour a class`,
    );
  }
  if ((mean === undefined) !== (std === undefined)) {
    throw new DataError(`${file}: mean and std belong together; give both or neither (then they are measured)`);
  }
  const { pages: _pages, ...said } = result.data;
  return { ...said, ...channelsIn(file, result.data) };
}

/** Throws DataError where a list has not one entry for each channel. */
function requireOneEach(
  file: string,
  names: readonly string[] | undefined,
  lists: Record<string, readonly unknown[] | undefined>,
) {
  const count = names?.length ?? 3;
  const what = names === undefined ? "an image has 3 channels, red, green and blue" : `it names ${channelsText(names)}`;
  for (const [key, list] of Object.entries(lists)) {
    if (list === undefined || list.length === count) continue;
    throw new DataError(`${file}: ${key} has ${list.length} entries and ${what}; give one for each channel`);
  }
}

/** The window and the channels of a file. Throws DataError where their numbers differ. */
function channelsIn(
  file: string,
  { channels: names, pages, window: found, mean, std }: z.output<typeof schema>,
): Required<Pick<DatasetYaml, "window" | "channels">> {
  const [window, windows] = Array.isArray(found) ? [undefined, found] : [found, undefined];
  requireOneEach(file, names, { mean, std, window: windows });
  if (names === undefined || areColours(names)) {
    if (windows === undefined && pages !== true) return { window, channels: undefined };
    const key = pages === true ? "pages: true" : "a window for each channel";
    throw new DataError(`${file}: ${key} is for named channels that are no colours; add such as channels: [ADC, T2]`);
  }
  return { window, channels: { names, ...(windows ? { windows } : {}), ...(pages ? { pages } : {}) } };
}

/** What `data prepare` made a folder from, such as `kits23`; undefined for a folder of someone's own. */
export function sourceOf({ provenance }: DatasetYaml): string | undefined {
  const set = provenance?.["set"];
  return typeof set === "string" ? set : undefined;
}

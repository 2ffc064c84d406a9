import { readFileSync } from "node:fs";
import { UsageError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { type MaskReading, shown } from "./reading.ts";
import { hex } from "./stored-mask.ts";

/** How a person says what the numbers of masks mean: at most one of the four. */
export interface ReadingOptions {
  /** `255=1`, `0=0,128=ignore,255=1`. */
  readonly map?: string | undefined;
  readonly threshold?: number | undefined;
  /** `#ff0000=1,#00ff00=2`, or a text file of such lines. */
  readonly palette?: string | undefined;
  /** The numbers are single objects. */
  readonly instances?: boolean | undefined;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;
const COLOUR = /^#[0-9a-f]{6}$/i;

function labelOf(text: string, option: string): number {
  if (text.toLowerCase() === "ignore") return IGNORE_LABEL;
  const label = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (label <= 254 || label === IGNORE_LABEL) return label;
  throw new UsageError(`${option}: "${text}" is no class; give a number from 0 to 254, or ignore`);
}

/** The pairs of a list, each left side once. */
function pairsOf(text: string, option: string, example: string, left: (text: string) => number | undefined) {
  const pairs = new Map<number, number>();
  for (const item of text.split(/[,\n]/)) {
    if (item.trim() === "") continue;
    const [key = "", label, ...more] = item.split("=").map((part) => part.trim());
    const value = left(key);
    if (value === undefined || label === undefined || more.length > 0) {
      throw new UsageError(`${option}: "${item.trim()}" is no pair such as ${example}`);
    }
    if (pairs.has(value)) throw new UsageError(`${option}: ${key} stands twice; give each value one class`);
    pairs.set(value, labelOf(label, option));
  }
  if (pairs.size === 0) throw new UsageError(`${option} is empty; give pairs such as ${example}`);
  return [...pairs];
}

function paletteText(given: string): { text: string; option: string } {
  if (given.trimStart().startsWith("#")) return { text: given, option: "--palette" };
  requireRegularFile(given, (sentence) => new UsageError(`--palette ${sentence}`));
  try {
    return { text: readFileSync(given, "utf8").replaceAll("\r", ""), option: `--palette ${given}` };
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new UsageError(
      `--palette ${given}: this is neither a list such as "#ff0000=1,#00ff00=2" nor a file that can be read (${why})`,
    );
  }
}

const colourOf = (text: string) => (COLOUR.test(text) ? Number.parseInt(text.slice(1), 16) : undefined);
const numberOf = (text: string) => (NUMBER.test(text) ? Number(text) : undefined);

/** What the options say, undefined where none is given. Throws UsageError for what cannot be read, and for two at once. */
export function parseReading({ map, threshold, palette, instances }: ReadingOptions): MaskReading | undefined {
  const options = [map && "--map", threshold !== undefined && "--threshold", palette && "--palette"];
  const given = [...options, instances && "--instances"].filter(Boolean);
  if (given.length > 1) throw new UsageError(`${given.join(" and ")} exclude each other; give one of them`);
  if (instances) return { kind: "instances" };
  if (threshold !== undefined) return { kind: "threshold", at: threshold };
  if (map !== undefined) return { kind: "map", levels: pairsOf(map, "--map", "255=1", numberOf) };
  if (palette === undefined) return undefined;
  const { text, option } = paletteText(palette);
  return { kind: "palette", colours: pairsOf(text, option, "#ff0000=1", colourOf) };
}

const labelName = (label: number) => (label === IGNORE_LABEL ? "ignore" : String(label));

/** A reading as the option that asks for it. */
export function readingText(reading: MaskReading): string {
  switch (reading.kind) {
    case "map":
      return `--map ${reading.levels.map(([value, label]) => `${shown(value)}=${labelName(label)}`).join(",")}`;
    case "threshold":
      return `--threshold ${shown(reading.at)}`;
    case "palette":
      return `--palette ${reading.colours.map(([colour, label]) => `${hex(colour)}=${labelName(label)}`).join(",")}`;
    case "instances":
      return "--instances";
    default:
      return reading.kind;
  }
}

/** The highest class that a reading gives; undefined where the numbers themselves are the classes. */
export function highestClass(reading: MaskReading): number | undefined {
  const highest = (pairs: readonly (readonly [number, number])[]) =>
    Math.max(0, ...pairs.map(([, label]) => label).filter((label) => label !== IGNORE_LABEL));
  if (reading.kind === "classes") return undefined;
  if (reading.kind === "map") return highest(reading.levels);
  return reading.kind === "palette" ? highest(reading.colours) : 1;
}

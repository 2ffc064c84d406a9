import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { MaskReading } from "../masks/reading.ts";

/** nnU-Net's names of an image: the case, and the number of the channel in four digits. */
const CHANNEL = /^(.+)_(\d{4})$/;

/**
 * Images by their cases, where `labels` are the stems of label files: the stem itself, or nnU-Net's `<case>_0000`. Throws
 * DataError where a case has several channels, or one that is not the first.
 */
export function casesOf(
  folder: string,
  stems: readonly string[],
  labels: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const cases = new Map<string, string>();
  const channels = new Map<string, string[]>();
  for (const stem of stems) {
    const [, name, channel] = CHANNEL.exec(stem) ?? [];
    if (name === undefined || channel === undefined || labels.has(stem) || !labels.has(name)) cases.set(stem, stem);
    else channels.set(name, [...(channels.get(name) ?? []), channel]);
  }
  const several = [...channels].filter(([, numbers]) => numbers.length > 1 || numbers[0] !== "0000");
  const [first] = several;
  if (first !== undefined) {
    const [name, numbers] = first;
    throw new DataError(
      `${folder}: several channels a case are not supported: ${name} has ${numbers.map((number) => `_${number}`).join(", ")}` +
        `${several.length > 1 ? `, likewise ${several.length - 1} more cases` : ""}; give a folder with one channel, named <case>_0000`,
    );
  }
  for (const name of channels.keys()) cases.set(name, `${name}_0000`);
  return cases;
}

/** How label numbers are read where dataset.json names one that is to be ignored; undefined where it does not. */
export function ignoringReading(described: NamedLabels | undefined): MaskReading | undefined {
  if (described?.ignore === undefined) return undefined;
  const classes = described.classes.map((_, at) => [at + 1, at + 1] as const);
  return { kind: "map", levels: [...classes, [described.ignore, IGNORE_LABEL]] };
}

const schema = z.looseObject({ labels: z.record(z.string(), z.unknown()) });

/** What nnU-Net's dataset.json says about classes: names from 1 on, and the number that is to be ignored. */
export interface NamedLabels {
  readonly classes: readonly string[];
  readonly ignore: number | undefined;
}

/**
 * The classes in `folder`/dataset.json, in the form of nnU-Net 1 and the Medical Segmentation Decathlon (number to name) or
 * nnU-Net 2 (name to number; "ignore" is no class); undefined where there is no such file, it is of another kind, or
 * numbers are left out or shared (regions).
 */
export async function namedLabels(folder: string): Promise<NamedLabels | undefined> {
  requireRegularFile(join(folder, "dataset.json"));
  const text = await readFile(join(folder, "dataset.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${join(folder, "dataset.json")}: this is no JSON (${String(error)}); mend or remove it`);
  }
  const found = schema.safeParse(content);
  if (!found.success) return undefined;
  const pairs = Object.entries(found.data.labels).map(([key, value]): [unknown, unknown] =>
    /^\d+$/.test(key) ? [value, Number(key)] : [key, /^\d+$/.test(String(value)) ? Number(value) : value],
  );
  const names = new Map(pairs.filter(([name]) => name !== "ignore").map(([name, number]) => [number, name]));
  const classes = Array.from({ length: names.size - 1 }, (_, at) => names.get(at + 1));
  const complete = names.has(0) && names.size > 1 && classes.every((name) => typeof name === "string" && name !== "");
  if (!complete || new Set(classes).size !== classes.length) return undefined;
  const ignore = pairs.find(([name]) => name === "ignore")?.[1];
  return { classes: classes as string[], ignore: typeof ignore === "number" ? ignore : undefined };
}

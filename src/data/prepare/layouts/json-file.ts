import type { z } from "zod";
import { DataError } from "../../../errors.ts";
import { readBytes } from "../../decode.ts";

/** The longest text that Node makes of one file. */
const LONGEST = 2 ** 29 - 24;

/** The line of a place in a text, from 1. */
function lineAt(text: string, at: number): number {
  let line = 1;
  for (let found = text.indexOf("\n"); found >= 0 && found < at; found = text.indexOf("\n", found + 1)) line++;
  return line;
}

/** What a JSON file holds. Throws DataError naming file and line where it is none. */
export async function readJson(file: string): Promise<unknown> {
  const bytes = await readBytes(file);
  if (bytes.length > LONGEST) {
    throw new DataError(`${file}: has ${bytes.length} bytes, more than one text can hold; split it into several files`);
  }
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
    throw new DataError(`${file}, line ${lineAt(text, at)}: this is no JSON (${message}); mend or remove it`);
  }
}

/** `annotations[3].bbox` from the steps that lead there. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");
}

/** The first thing in which a value is not as `schema` says: `annotations[3].category_id: expected number`; undefined if none. */
export function differenceFrom(schema: z.ZodType, value: unknown): string | undefined {
  const issue = schema.safeParse(value).error?.issues[0];
  return issue && `${pathText(issue.path) || "the file"}: ${issue.message}`;
}

/** A value as `schema` says. Throws DataError naming file and place. */
export function asSchema<Value>(schema: z.ZodType<Value>, value: unknown, file: string): Value {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DataError(`${file}: ${differenceFrom(schema, value)}; mend the file or export it again`);
}

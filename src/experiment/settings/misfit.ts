import type { z } from "zod";
import { UsageError } from "../../errors.ts";
import { suggestion } from "../../nearest.ts";
import type { ConfigFile } from "./config-file.ts";

/** Throws UsageError that names the keys of a file that are none of `known`, each with its line and the nearest known one. */
export function requireKnownKeys(file: ConfigFile, known: readonly string[]): void {
  const unknown = Object.keys(file.values).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  throw new UsageError(unknown.map((key) => `${file.where(key)}: unknown key. ${suggestion(key, known)}`).join("\n"));
}

/** The sentence on a value that a schema refused; `where` names its flag, or its file, line and key. */
export function misfit(where: string, values: Readonly<Record<string, unknown>>, issue: z.core.$ZodIssue): string {
  const value = nested(values, issue.path);
  return `${where}: ${JSON.stringify(value)} does not fit: ${explain(issue, value)}`;
}

function nested(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

function explain(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "invalid_value") return suggestion(String(value), issue.values.map(String));
  if (issue.code === "invalid_union") {
    const inner = issue.errors
      .flat()
      // Names are no advice to who gave a list.
      .filter(({ code }) => code !== "invalid_value" || !Array.isArray(value))
      .map((error) => (error.code === "invalid_value" ? error.values.join(", ") : plain(error.message)));
    return [...new Set(inner)].join(", or ");
  }
  return plain(issue.message);
}

function plain(message: string): string {
  return message.replace(/^Invalid input: /, "").replace(/^Too (small|big): /, "");
}

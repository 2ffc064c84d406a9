import { readFileSync } from "node:fs";
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { UsageError } from "../../errors.ts";
import { visibleInLine } from "../../visible.ts";

/** A configuration file as it was read: its top-level values and the place of each key. */
export interface ConfigFile {
  readonly values: Readonly<Record<string, unknown>>;
  /** `run.yaml line 3 (batchSize)`. */
  where(key: string): string;
}

/** Reads a YAML configuration file; what keys and values it may have is for the caller to check. */
export function readConfigFile(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(
      `--config ${path}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
  return parseConfig(text, path);
}

/** `readConfigFile` for text that is already here; `path` is only named in messages. */
export function parseConfig(text: string, path: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new UsageError(`${path} line ${lines.linePos(error.pos[0]).line}: not valid YAML: ${error.message}`);
  }
  if (document.contents === null) return { values: {}, where: (key) => `${path} (${key})` };
  const map = document.contents;
  if (!isMap(map)) throw new UsageError(`${path}: expected one "key: value" a line`);
  const lineOf = new Map<string, number>();
  for (const { key } of map.items) {
    if (isScalar(key)) lineOf.set(String(key.value), lines.linePos(key.range?.[0] ?? 0).line);
  }
  return {
    values: valuesOf(document, path),
    where: (key) => `${path} line ${lineOf.get(key) ?? 1} (${visibleInLine(key)})`,
  };
}

/** The document's values; aliases are followed here, those that lead nowhere or multiply too often are refused. */
function valuesOf(document: Document, path: string): Record<string, unknown> {
  try {
    return document.toJS() as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${path}: not valid YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}

import { readFileSync } from "node:fs";
import { parseYaml, YamlFault, type YamlText } from "../../data/yaml-text.ts";
import { UsageError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { visibleInLine } from "../../visible.ts";

/** A configuration file as it was read: its top-level values and the place of each key. */
export interface ConfigFile {
  readonly values: Readonly<Record<string, unknown>>;
  /** `run.yaml line 3 (batchSize)`. */
  where(key: string): string;
}

/** Reads a YAML configuration file, which `flag` named; what keys and values it may have is for the caller to check. */
export function readConfigFile(path: string, flag = "--config"): ConfigFile {
  requireRegularFile(path, (sentence) => new UsageError(`${flag} ${sentence}`));
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${flag} ${path}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  return parseConfig(text, path);
}

/** `readConfigFile` for text that is already here; `path` is only named in messages. */
export function parseConfig(text: string, path: string): ConfigFile {
  const { value = {}, lineOf } = yamlOf(text, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${path}: expected one "key: value" a line`);
  }
  return {
    values: value as Record<string, unknown>,
    where: (key) => `${path} line ${lineOf(key) ?? 1} (${visibleInLine(key)})`,
  };
}

function yamlOf(text: string, path: string): YamlText {
  try {
    return parseYaml(text);
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error;
    const place = error.line === undefined ? path : `${path} line ${error.line}`;
    throw new UsageError(`${place}: not valid YAML: ${error.message}`);
  }
}

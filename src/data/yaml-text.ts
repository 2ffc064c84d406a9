import { isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { visibleInLine } from "../visible.ts";

/** A YAML text that is refused; the message is a clause, `line` where it applies. */
export class YamlFault extends Error {
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(message);
    this.line = line;
  }
}

export interface YamlText {
  /** As JSON would have it; undefined for an empty text. */
  readonly value: unknown;
  /** The line of a top-level key, from 1. */
  lineOf(key: string): number | undefined;
}

/** Settings and descriptions of data sets are written by people: what is longer is something else. */
const MOST_CHARACTERS = 1 << 18;
/** Anchors are for a few repeated values; a thousandfold nested one would fill the memory. */
const MOST_ALIASES = 100;

/** Of brackets, of list items on one line, and of columns before the first word of a line. */
const MOST_DEPTH = 64;
const MOST_INDENT = 256;

/**
 * The parser calls itself for each level, and a stack that runs full ends the process, not the call: so the text is looked
 * at first. Brackets in quotes count too, which no sensible text notices.
 */
function refuseDeepNesting(text: string): void {
  let depth = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const start = /^(?:[-?:]?[ \t]+)*/.exec(line)?.[0] ?? "";
    const items = start.replace(/[ \t]+/g, "").length;
    for (const sign of line.replace(/[^[\]{}]+/g, "")) {
      depth = Math.max(0, depth + (sign === "[" || sign === "{" ? 1 : -1));
      if (depth > MOST_DEPTH) break;
    }
    if (depth > MOST_DEPTH || items > MOST_DEPTH || start.length > MOST_INDENT) {
      throw new YamlFault("it is nested too deeply", index + 1);
    }
  }
}

/** Parses a YAML text of unknown origin. Throws {@link YamlFault}. */
export function parseYaml(text: string): YamlText {
  if (text.length > MOST_CHARACTERS) {
    throw new YamlFault(`it has ${text.length} characters, more than ${MOST_CHARACTERS}: this is no file of settings`);
  }
  refuseDeepNesting(text);
  try {
    return parsed(text);
  } catch (error) {
    if (error instanceof YamlFault) throw error;
    // The library's refusal of aliases of aliases, and what it says of a place that it cannot read.
    const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new YamlFault(error instanceof ReferenceError ? `its aliases stand for too much (${message})` : message);
  }
}

function parsed(text: string): YamlText {
  const lines = new LineCounter();
  // The parser's own search for repeated keys compares each with all before it; its warnings would go out as they are.
  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: "error" } as const;
  const document = parseDocument(text, options);
  const lineAt = (offset: number | undefined) => lines.linePos(offset ?? 0).line;
  const [error] = document.errors;
  if (error !== undefined) throw new YamlFault(error.message, lineAt(error.pos[0]));
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (isNode(key) && !isScalar(key)) throw new YamlFault("only a word can be a key", lineAt(key.range?.[0]));
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const line = lineAt(key.range?.[0]);
        if (name === "__proto__") throw new YamlFault('"__proto__" cannot be a key', line);
        if (seen.has(name)) throw new YamlFault(`the key ${visibleInLine(name)} stands there twice`, line);
        seen.add(name);
      }
    },
  });
  const lineOf = new Map<string, number>();
  if (isMap(document.contents)) {
    for (const { key } of document.contents.items) {
      if (isScalar(key)) lineOf.set(String(key.value), lineAt(key.range?.[0]));
    }
  }
  const value: unknown = document.contents === null ? undefined : document.toJS({ maxAliasCount: MOST_ALIASES });
  return { value, lineOf: (key) => lineOf.get(key) };
}

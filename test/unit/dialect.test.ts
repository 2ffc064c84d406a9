import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { lintFiles } from "../support/lint.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Each breaks one rule of the dialect in its first lines. */
const OFFENDERS = {
  "src/experiment/constant.ts": ["export const limit = 5;"],
  "src/experiment/table.ts": [
    "const sizes = { least: 48, most: 2048 } as const;",
    "export const least = () => sizes.least;",
  ],
  "src/experiment/member.ts": [
    "export class Box {",
    "  private readonly x = 1;",
    "  get double() {",
    "    return 2 * this.x;",
  ],
  "src/experiment/import.ts": ['import path from "node:path";', "export const here = () => path.sep;"],
  "src/experiment/there.ts": [
    'import type { Back } from "./back.ts";',
    "export interface There {",
    "  readonly back: Back;",
  ],
  "src/experiment/back.ts": [
    'import type { There } from "./there.ts";',
    "export interface Back {",
    "  readonly there: There;",
  ],
  "test/it.test.ts": ['import { it } from "vitest";', 'it("runs", () => undefined);'],
} as const;
/** Keeps to all of them. */
const KEEPER = `import { sep } from "node:path";

export const LIMIT = 5;
export const kind = { name: "kind", make: (x: number) => x + LIMIT, draw: joinedBy };

function joinedBy(parts: readonly string[]): string {
  const end = "";
  return parts.join(sep) + end;
}

export class Box {
  readonly #x = 1;
  private constructor() {}
  get double(): number {
    return 2 * this.#x;
  }
}
`;

/** The offender's lines with what is still open closed. */
function complete(lines: readonly string[]): string {
  const text = lines.join("\n");
  return `${text}\n${"}\n".repeat(text.split("{").length - text.split("}").length)}`;
}

test("the linter refuses what breaks the dialect: each rule at its place, and nothing that keeps to it", () => {
  const files = Object.entries(OFFENDERS).map(([name, lines]) => [name, complete(lines)]);
  const diagnostics = lintFiles({ ...Object.fromEntries(files), "src/experiment/keeper.ts": KEEPER });
  const found = diagnostics.map(
    ({ category, message, location: { path, start } }) =>
      `${path}:${start.line} ${category === "plugin" ? message : category}`,
  );
  expect(found.sort()).toEqual([
    "src/experiment/back.ts:1 lint/suspicious/noImportCycles",
    "src/experiment/constant.ts:1 A module constant that holds data is UPPER_CASE.",
    "src/experiment/import.ts:1 Import what is used of a Node module by name.",
    "src/experiment/member.ts:2 Write #name instead of private name: it is private at run time too.",
    "src/experiment/table.ts:1 A module constant that holds data is UPPER_CASE.",
    "src/experiment/there.ts:1 lint/suspicious/noImportCycles",
    "test/it.test.ts:2 lint/nursery/useConsistentTestIt",
  ]);
});

test("no comment stands above the imports of a file: an idea belongs to an export", () => {
  const files = ["src", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  const sources = files.filter((file) => file.endsWith(".ts"));
  expect(sources.length).toBeGreaterThan(400);
  const headed = sources.filter((file) =>
    /^\s*(?:\/\*[\s\S]*?\*\/\s*|\/\/.*\s*)+import\b/.test(readFileSync(join(root, file), "utf8")),
  );
  expect(headed).toEqual([]);
});

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "svanet-dialect-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Each breaks one rule of the dialect in its first lines. */
const OFFENDERS = {
  "src/data/constant.ts": ["export const limit = 5;"],
  "src/data/table.ts": ["const sizes = { least: 48, most: 2048 } as const;", "export const least = () => sizes.least;"],
  "src/data/member.ts": [
    "export class Box {",
    "  private readonly x = 1;",
    "  get double() {",
    "    return 2 * this.x;",
  ],
  "src/data/import.ts": ['import path from "node:path";', "export const here = () => path.sep;"],
  "src/data/there.ts": ['import type { Back } from "./back.ts";', "export interface There {", "  readonly back: Back;"],
  "src/data/back.ts": [
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

function lint(): string {
  cpSync(join(root, "biome.json"), join(scratch, "biome.json"));
  cpSync(join(root, "scripts", "lint"), join(scratch, "scripts", "lint"), { recursive: true });
  const files = Object.entries(OFFENDERS).map(([name, lines]): [string, string] => {
    const open = lines.join("\n").split("{").length - lines.join("\n").split("}").length;
    return [name, `${lines.join("\n")}\n${"}\n".repeat(open)}`];
  });
  for (const [name, text] of [...files, ["src/data/keeper.ts", KEEPER] as const]) {
    mkdirSync(dirname(join(scratch, name)), { recursive: true });
    writeFileSync(join(scratch, name), text);
  }
  const program = join(root, "node_modules", ".bin", "biome");
  const { stdout, stderr } = spawnSync(program, ["lint", "--colors=off", "--reporter=github", "."], {
    cwd: scratch,
    encoding: "utf8",
  });
  return stdout + stderr;
}

test("the linter refuses what breaks the dialect: each rule at its place, and nothing that keeps to it", () => {
  const found = [...lint().matchAll(/^::error title=([^,]*),file=(.*?),line=(\d+),.*?::(.*)$/gm)].map(
    ([, title = "", file = "", line = "", message = ""]) =>
      `${file.slice(file.indexOf(scratch) + scratch.length + 1)}:${line} ${title === "plugin" ? message : title}`,
  );
  expect(found.sort()).toEqual([
    "src/data/back.ts:1 lint/suspicious/noImportCycles",
    "src/data/constant.ts:1 A module constant that holds data is UPPER_CASE.",
    "src/data/import.ts:1 Import what is used of a Node module by name.",
    "src/data/member.ts:2 Write #name instead of private name: it is private at run time too.",
    "src/data/table.ts:1 A module constant that holds data is UPPER_CASE.",
    "src/data/there.ts:1 lint/suspicious/noImportCycles",
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

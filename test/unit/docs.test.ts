import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENTS = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...[
    "docs/data.md",
    "docs/fuzzing.md",
    "docs/networks.md",
    "docs/scores.md",
    "docs/outputs.md",
    "docs/onnx.md",
    "docs/TRUST.md",
    "bench/README.md",
    "test/oracle/README.md",
  ],
];

/** Paths of the repository that a document names: targets of links, and whole words in backticks that begin with a folder. */
function pathsIn(text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = ""]) => target);
  const words = [...text.matchAll(/`((?:src|test|scripts|docs|examples|bench)\/[\w./-]+)`/g)].map(
    ([, path = ""]) => `/${path}`,
  );
  return [...links, ...words];
}

test.each(DOCUMENTS)("every file that %s names is there", (name) => {
  const text = readFileSync(join(root, name), "utf8");
  const missing = pathsIn(text)
    .map((path) => (path.startsWith("/") ? path.slice(1) : join(dirname(name), path)))
    .filter((path) => !/NAME|FAMILY/.test(path) && path !== "docs/api" && !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});

test("the map stays a map", () => {
  const lines = readFileSync(join(root, "ARCHITECTURE.md"), "utf8").split("\n");
  expect(lines.length).toBeLessThanOrEqual(200);
});

test("the map and the README name every room", () => {
  const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const document of ["ARCHITECTURE.md", "README.md"]) {
    const text = readFileSync(join(root, document), "utf8");
    expect(rooms.map(({ name }) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  }
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { referencePages } from "../../src/cli/reference-pages.ts";
import { wholeProgram } from "../../src/cli/whole-program.ts";
import { packageInfo } from "../../src/package-info.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (name: string): string => readFileSync(join(root, name), "utf8");

/** The Markdown files of docs, but for the library's pages, which `npm run docs` writes. */
const PAGES = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .map((name) => `docs/${name.replaceAll("\\", "/")}`)
  .filter((name) => name.endsWith(".md") && !name.startsWith("docs/api/"));
const DOCUMENTS = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...PAGES,
  "bench/README.md",
  "test/oracle/README.md",
];

/** Targets of the links of a document, each with its place in the page. */
function linksIn(text: string): (readonly [path: string, anchor: string])[] {
  return [...text.matchAll(/\]\(([^)#:\s]*)(?:#([^)\s]*))?\)/g)].map(([, path = "", anchor = ""]) => [path, anchor]);
}

/** Paths of the repository that a document names: targets of links, and whole words in backticks that begin with a folder. */
function pathsIn(text: string): string[] {
  const words = [...text.matchAll(/`((?:src|test|scripts|docs|examples|bench)\/[\w./-]+)`/g)].map(
    ([, path = ""]) => `/${path}`,
  );
  return [...linksIn(text).flatMap(([path]) => (path === "" ? [] : [path])), ...words];
}

/** The place that GitHub gives each heading of a page. */
function anchorsOf(name: string): string[] {
  return [...read(name).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test.each(DOCUMENTS)("every file that %s names is there", (name) => {
  const missing = pathsIn(read(name))
    .map((path) => (path.startsWith("/") ? path.slice(1) : join(dirname(name), path)))
    .filter((path) => !/NAME|FAMILY/.test(path) && path !== "docs/api" && !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});

test.each(DOCUMENTS)("every heading that %s links to is there", (name) => {
  const lost = linksIn(read(name)).filter(([path, anchor]) => {
    const page = path === "" ? name : join(dirname(name), path);
    return anchor !== "" && page.endsWith(".md") && !anchorsOf(page).includes(anchor);
  });
  expect(lost).toEqual([]);
});

test("every page of docs is reached from its first page", () => {
  const reached = new Set(["docs/README.md"]);
  for (const name of reached) {
    for (const [path] of linksIn(read(name))) {
      const target = join(dirname(name), path).replaceAll("\\", "/");
      if (PAGES.includes(target)) reached.add(target);
    }
  }
  const forDevelopers = ["docs/fuzzing.md"];
  expect(PAGES.filter((name) => !reached.has(name) && !forDevelopers.includes(name))).toEqual([]);
});

test("docs/reference is what the commands' own tables say: else run npm run reference", async () => {
  const pages = referencePages(await wholeProgram());
  expect(readdirSync(join(root, "docs/reference")).sort()).toEqual([...pages.keys()].sort());
  for (const [name, text] of pages) expect(read(`docs/reference/${name}`), name).toBe(text);
}, 120_000);

/** The command lines of a document: in blocks of code and in backticks, without what a shell does with them. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/```(?:sh|bash)?\n([\s\S]*?)```/g)].flatMap(([, block = ""]) => block.split("\n"));
  const words = [...text.matchAll(/`((?:npx )?svanet [^`]*)`/g)].map(([, line = ""]) => line);
  return [...blocks, ...words].flatMap((line) => {
    const [, command] = /(?:^|npx |bin\/)svanet ([a-z][^#>|]*)/.exec(line.trim()) ?? [];
    return command === undefined ? [] : [command.trim()];
  });
}

test.each(["README.md", ...PAGES])(
  "every option that %s gives a command is one of it",
  async (name) => {
    const program = await wholeProgram();
    for (const line of commandsIn(read(name))) {
      let command = program;
      const words = line.split(/\s+/);
      for (const word of words) command = command.commands.find((child) => child.name() === word) ?? command;
      const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short, "--help"]);
      const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/[=,.;:].*$/, ""));
      expect(
        flags.filter((flag) => !known.includes(flag)),
        line,
      ).toEqual([]);
    }
  },
  120_000,
);

test("the README begins with a picture and three commands on one screen", () => {
  const [screen = ""] = read("README.md").split("| | |");
  expect(screen.split("\n").length).toBeLessThan(30);
  expect(screen).toMatch(/!\[[^\]]+\]\(docs\/demo\.png\)/);
  const [, commands = ""] = /```sh\n([\s\S]*?)```/.exec(screen) ?? [];
  expect(commands.trim().split("\n").length).toBe(3);
});

test("CITATION.cff has what the format 1.2 requires, and the package's version", () => {
  const citation = parse(read("CITATION.cff")) as Record<string, unknown>;
  const { authors, title, message, version, license, type } = citation;
  expect(citation["cff-version"]).toBe("1.2.0");
  for (const text of [title, message]) expect(text).toEqual(expect.stringMatching(/\w/));
  expect([version, license, type]).toEqual([packageInfo().version, "MIT", "software"]);
  const paper = citation["preferred-citation"] as Record<string, unknown>;
  expect([paper["type"], paper["title"]]).toEqual(["article", expect.stringContaining("Scale-Variant Attention")]);
  for (const list of [authors, paper["authors"]]) {
    expect(list).toEqual(expect.arrayContaining([expect.any(Object)]));
    const keys = (list as object[]).flatMap(Object.keys);
    expect(keys.filter((key) => !["name", "family-names", "given-names"].includes(key))).toEqual([]);
  }
});

test("the map stays a map", () => {
  expect(read("ARCHITECTURE.md").split("\n").length).toBeLessThanOrEqual(200);
});

test("the map names every room", () => {
  const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const text = read("ARCHITECTURE.md");
  expect(rooms.map(({ name }) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { lintFiles } from "../support/lint.ts";

interface Room {
  readonly packages: readonly string[];
  readonly inside?: Readonly<Record<string, readonly string[]>>;
}

interface RoomsScript {
  readonly ROOMS: Readonly<Record<string, Room>>;
  standsOn(name: string): readonly string[];
  portablePlaces(): readonly string[];
  lintRules(): unknown;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const script: RoomsScript = await import(new URL("../../scripts/rooms.mjs", import.meta.url).href);
const { ROOMS, standsOn, portablePlaces, lintRules } = script;
const names = Object.keys(ROOMS);

/** Files of an imaginary src, each with the rules that our own configuration calls errors and that it breaks. */
function lint(files: Readonly<Record<string, string>>): Record<string, string[]> {
  const rules = ["correctness/noNodejsModules", "correctness/noProcessGlobal"];
  const style = ["style/noRestrictedImports", "style/noRestrictedGlobals"];
  const diagnostics = lintFiles(files, [...rules, ...style]);
  const broken = Object.fromEntries(Object.keys(files).map((file) => [file, [] as string[]]));
  // `--only` also switches the rules on where the configuration does not, but as advice.
  for (const { category, location } of diagnostics.filter(({ severity }) => severity === "error")) {
    broken[location.path]?.push(category.replace(/^lint\//, ""));
  }
  return broken;
}

/** Of imports planted one a file, those that lint refuses. */
function refused(imports: Readonly<Record<string, string>>): string[] {
  const files = Object.entries(imports).map(([file, from]) => [file, `import { x } from "${from}";\nexport { x };`]);
  const broken = lint(Object.fromEntries(files));
  return Object.keys(imports).filter((file) => broken[file]?.includes("style/noRestrictedImports"));
}

const folders = (path: string) =>
  readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

describe("the table of rooms", () => {
  test("is what lint reads: after a change, npm run rooms", () => {
    expect(JSON.parse(readFileSync(join(root, "biome.rooms.json"), "utf8"))).toEqual(lintRules());
  });

  test("names every folder of src, and every folder of a room that has inner walls", () => {
    expect(folders("src").filter((name) => !names.includes(name))).toEqual([]);
    for (const [name, { inside }] of Object.entries(ROOMS)) {
      if (inside) expect(folders(`src/${name}`).filter((inner) => !(inner in inside))).toEqual([]);
    }
  });

  test("lets a room stand on those before it, some on fewer", () => {
    expect(standsOn("kernels")).toEqual([]);
    expect(standsOn("training")).toEqual(["kernels", "autograd", "model"]);
    expect(standsOn("metrics")).toEqual(["kernels"]);
    expect(standsOn("platform")).toEqual(["kernels"]);
    expect(standsOn("cli")).toEqual(names.slice(0, -1));
  });
});

describe("lint", () => {
  test("refuses an import through each wall between rooms, and none that the table allows", () => {
    const arrows = names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
    const file = ({ from, to }: { from: string; to: string }) => `src/${from}/to-${to}.ts`;
    const planted = Object.fromEntries(arrows.map((arrow) => [file(arrow), `../${arrow.to}/deep/planted.ts`]));
    expect(refused(planted)).toEqual(arrows.filter(({ from, to }) => !standsOn(from).includes(to)).map(file));
  });

  test("refuses an import through each wall inside a room, and one that leaves the room upward", () => {
    const inner = Object.entries(ROOMS).flatMap(([room, { inside = {} }]) =>
      Object.entries(inside).map(([name, siblings]) => ({ room, name, siblings, all: Object.keys(inside) })),
    );
    const planted: Record<string, string> = {};
    const expected: string[] = [];
    for (const { room, name, siblings, all } of inner) {
      const plant = (to: string, from: string, wall: boolean) => {
        const file = `src/${room}/${name}/to-${to}.ts`;
        planted[file] = from;
        if (wall) expected.push(file);
      };
      for (const to of all.filter((other) => other !== name)) plant(to, `../${to}/planted.ts`, !siblings.includes(to));
      for (const to of names.filter((other) => other !== room)) {
        // An inner room may have the name of another one: both files are planted.
        plant(`room-${to}`, `../../${to}/planted.ts`, !standsOn(room).includes(to));
      }
      plant("own-file", "./planted.ts", false);
      plant("file-of-the-room", "../planted.ts", false);
      plant("errors", "../../errors.ts", false);
    }
    expect(refused(planted)).toEqual(expected);
  });

  test("refuses every package and module of Node that a room does not name", () => {
    const packages = ["node:fs", "node:fs/promises", "webgpu", "sharp", "zod", "commander", "onnxruntime-node"];
    const cases = names.flatMap((room) => packages.map((from, at) => ({ room, from, file: `src/${room}/p${at}.ts` })));
    const named = (room: string, from: string) =>
      ROOMS[room]?.packages.some((name) => name === from || (name === "node:*" && from.startsWith("node:")));
    expect(refused(Object.fromEntries(cases.map(({ file, from }) => [file, from])))).toEqual(
      cases.filter(({ room, from }) => !named(room, from)).map(({ file }) => file),
    );
  });
});

describe("the code that a browser runs too", () => {
  test("may use no package, no module and no global of Node: lint refuses them", () => {
    const text = [
      'import { readFileSync } from "node:fs";',
      'import { readdirSync } from "fs";',
      'import sharp from "sharp";',
      "export const platform = process.platform;",
      'export const faults = [Buffer.alloc(8), require("./fs.cjs"), __dirname, readFileSync, readdirSync, sharp];',
    ].join("\n");
    const modules = "correctness/noNodejsModules";
    const process = "correctness/noProcessGlobal";
    const globals = "style/noRestrictedGlobals";
    const imports = "style/noRestrictedImports";
    const rules = [...Array(2).fill(modules), process, ...Array(3).fill(globals), ...Array(3).fill(imports)];
    const places = portablePlaces();
    const rooms = ["kernels", "autograd", "model", "training", "metrics", "data/image"].map((room) => `src/${room}/**`);
    expect(places).toEqual(expect.arrayContaining([...rooms, "src/weights/safetensors.ts"]));
    const files = places.map((place) => place.replace("/**", "/planted.ts"));
    const free = ["src/platform/node/planted.ts", "src/cli/planted.ts"];
    const broken = lint(Object.fromEntries([...files, ...free].map((file) => [file, text])));
    for (const file of files) expect(broken[file]?.sort(), file).toEqual(rules);
    for (const file of free) {
      const ofNode = broken[file]?.filter((rule) => rule !== imports);
      expect(ofNode, file).toEqual([]);
    }
  });
});

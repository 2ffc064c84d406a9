/**
 * The rooms of src and the walls between them. `npm run rooms` makes lint rules of the table (biome.rooms.json, which
 * biome.json extends): imports only point upward in the list. test/unit/rooms.test.ts breaks every wall once.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Node's own modules, as a name of `packages`. */
const NODE = "node:*";
/** Packages that browsers run as they are. */
const PORTABLE_PACKAGES = ["dicom-parser", "fflate", "zod"];

/**
 * From the ground up. A room may import the rooms before it, or only those in `on`; `inside` names its own rooms, from
 * the ground up too, each with the siblings it may import. Of what npm installs and Node has, a room may import what
 * `packages` names.
 */
export const ROOMS = {
  kernels: {
    packages: [],
    inside: {
      trace: [],
      shader: ["trace"],
      ops: ["trace", "shader"],
      passes: ["trace", "shader", "ops"],
      device: [],
      compile: ["trace", "shader", "device"],
    },
  },
  autograd: { packages: [] },
  model: {
    packages: [],
    inside: { layers: [], encoders: ["layers"], svanet: ["layers"], nets: ["layers", "encoders"] },
  },
  training: { packages: [] },
  files: { on: [], packages: [NODE] },
  serve: { on: [], packages: [NODE] },
  weights: { packages: [NODE], inside: { names: [], pth: [], onnx: [], published: [] } },
  data: {
    packages: [NODE, "dicom-parser", "fflate", "pngjs", "sharp", "yaml", "zod"],
    inside: {
      image: [],
      export: [],
      codec: ["image"],
      formats: ["image", "codec"],
      masks: ["image", "codec", "formats"],
      dataset: ["image", "codec", "masks", "formats"],
      feed: ["image", "codec", "formats", "dataset"],
      prepare: ["image", "codec", "masks", "formats", "dataset"],
      synth: ["image", "codec", "formats", "dataset"],
    },
  },
  metrics: { on: ["kernels"], packages: [] },
  objects: { on: ["metrics"], packages: [] },
  inference: { packages: ["zod"], inside: { checkpoint: [] } },
  experiment: {
    packages: [NODE, "fflate", "vega", "vega-lite", "yaml", "zod"],
    inside: {
      settings: [],
      run: ["settings"],
      checkpoint: ["settings", "run"],
      evaluate: ["settings", "run"],
      predict: ["settings", "run", "checkpoint", "evaluate"],
      page: ["checkpoint"],
      plan: ["settings", "evaluate"],
      train: ["settings", "run", "checkpoint", "evaluate", "predict"],
      study: ["settings", "run", "checkpoint", "evaluate", "predict", "train"],
      report: ["settings", "run", "checkpoint", "evaluate", "predict", "study"],
    },
  },
  checks: { on: ["kernels", "autograd", "model", "training"], packages: [] },
  parity: { packages: [NODE] },
  platform: { on: ["kernels"], packages: [NODE, "webgpu"], inside: { node: [], web: [] } },
  web: { packages: [] },
  browser: { packages: ["fflate", "vega", "vega-interpreter", "vega-lite"] },
  bench: { packages: [NODE, "sharp"] },
  cli: { packages: [NODE, "cli-progress", "commander", "zod"], inside: { commands: [] } },
};

const root = fileURLToPath(new URL("..", import.meta.url));
const rulesFile = join(root, "biome.rooms.json");
const portableFile = join(root, "tsconfig.portable.json");

/** The rooms that a room of the table may import. */
export function standsOn(name) {
  return fromBelow(ROOMS, name, ROOMS[name].on);
}

/** `on`, or all that comes before `name` in the table; no arrow of a table may point upward. */
function fromBelow(table, name, on) {
  const names = Object.keys(table);
  const before = names.slice(0, names.indexOf(name));
  const upward = (on ?? before).filter((other) => !before.includes(other));
  if (upward.length > 0) throw new Error(`scripts/rooms.mjs: ${name} cannot stand on ${upward.join(", ")}`);
  return on ?? before;
}

/** The folders and files that run in a browser too, as globs: what tsconfig.portable.json compiles of src. */
export function portablePlaces() {
  const { include } = JSON.parse(readFileSync(portableFile, "utf8"));
  const places = include.filter((place) => place.startsWith("src/"));
  return places.map((place) => (place.endsWith(".ts") ? place : `${place}/**`));
}

/** The content of biome.rooms.json. */
export function lintRules() {
  const portable = portablePlaces();
  const rooms = Object.entries(ROOMS).flatMap(([name, { inside = {} }]) => [
    `src/${name}/**`,
    ...Object.keys(inside).map((inner) => `src/${name}/${inner}/**`),
  ]);
  // Of two overrides for one file the later wins whole: the outer room comes before the inner one, that before a file.
  const files = portable.filter((place) => !rooms.includes(place));
  const walls = [...rooms, ...files].map((place) => wall(place, portable.includes(place)));
  return {
    $schema: "./node_modules/@biomejs/biome/configuration_schema.json",
    overrides: [...walls, withoutNode(portable)],
  };
}

/** Lint's rule for a place: what its files may not import, and a message that says what they may. */
function wall(place, portable) {
  const [, name, inner] = /^src\/(?:(\w+)\/)?(?:(\w+)\/)?/.exec(place) ?? [];
  const on = name ? standsOn(name) : [];
  const { packages: named = [], inside = {} } = ROOMS[name] ?? {};
  const packages = portable ? named.filter((each) => PORTABLE_PACKAGES.includes(each)) : named;
  const siblings = inner && inside[inner] ? fromBelow(inside, inner, inside[inner]) : undefined;
  const closed = [
    ...Object.keys(ROOMS).filter((other) => other !== name && !on.includes(other)),
    ...Object.keys(siblings ? inside : {}).filter((other) => other !== inner && !siblings.includes(other)),
  ];
  const own = siblings ? `${listed(siblings)} of src/${name}, ` : "";
  const outside = `${listed(on)} of src and ${listed(packages)} of packages`;
  const message = `${place.replace("/**", "")} may import ${own}${outside}: see scripts/rooms.mjs`;
  // As in .gitignore, the last pattern that matches decides.
  const open = packages.flatMap((name) => [`!${name}`, `!${name}/**`]);
  const group = ["**", "!./**", "!../**", ...open, ...(closed.length > 0 ? [`**/{${closed.join(",")}}/**`] : [])];
  return override([place], {
    style: { noRestrictedImports: { level: "error", options: { patterns: [{ group, message }] } } },
  });
}

function listed(names) {
  return names.length === 0 ? "nothing" : names.join(", ");
}

function withoutNode(places) {
  const names = ["Buffer", "require", "__dirname", "__filename", "global", "setImmediate", "clearImmediate"];
  const message = "a browser has no such global: what needs Node stands in src/platform/node (tsconfig.portable.json)";
  const deniedGlobals = Object.fromEntries(names.map((name) => [name, message]));
  return override(places, {
    correctness: { noNodejsModules: "error", noProcessGlobal: "error" },
    style: { noRestrictedGlobals: { level: "error", options: { deniedGlobals } } },
  });
}

function override(includes, rules) {
  return { includes, linter: { rules } };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(rulesFile, JSON.stringify(lintRules()));
  const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
  const { status } = spawnSync(process.execPath, [biome, "format", "--write", rulesFile], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { readMask } from "../../../src/data/decode.ts";
import type { Settings } from "../../../src/data/prepare/plan.ts";
import { type PrepareSummary, prepare } from "../../../src/data/prepare/prepare.ts";
import { SET_KINDS } from "../../../src/data/prepare/sets.ts";

/** A temporary folder for prepared raw trees that vanishes with the test file. */
export const base = mkdtempSync(join(tmpdir(), "svanet-prepare-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let folders = 0;

/** A path where nothing is yet. */
export const fresh = () => join(base, String(folders++));

const USUAL: Settings = { seed: 0, test: 0.2, val: 0, every: 1 };

/** `svanet data prepare` with the usual settings, in this thread unless `workers` says otherwise. */
export function run(
  name: string,
  from: string,
  out: string,
  settings: Partial<Settings> = {},
  workers = 0,
): Promise<PrepareSummary> {
  const set = SET_KINDS.find((kind) => kind.name === name);
  if (set === undefined) throw new Error(`no set ${name}`);
  return prepare({ set, from, out, settings: { ...USUAL, ...settings }, workers, command: "test" });
}

/** Every file below a folder with its size and time. */
export function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => ({ name, found: statSync(join(folder, name)) }))
    .filter(({ found }) => found.isFile())
    .map(({ name, found }) => `${name} ${found.size} ${found.mtimeMs}`)
    .sort();
}

/** File names of a split. */
export const stems = (out: string, split: string) => readdirSync(join(out, split)).sort();
/** Classes that occur in a mask. */
export const values = async (out: string, stem: string) =>
  [...new Set((await readMask(join(out, "mask", `${stem}.png`))).data)].sort();

import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { encodePng } from "../../../src/data/codec/png.ts";
import type { Rgb } from "../../../src/data/codec/png-read.ts";
import { readMask } from "../../../src/data/decode.ts";
import { parseReading, type ReadingOptions } from "../../../src/data/masks/parse-reading.ts";
import type { Settings } from "../../../src/data/prepare/plan.ts";
import { fresh, run } from "./prepare.ts";
import * as trees from "./trees.ts";

export const SIDE = 24;
export const SIZE = { width: SIDE, height: SIDE };
export const COUNT = 4;
export const PURE: readonly Rgb[] = [
  [0, 0, 0],
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
];

/** A disc of 1 with a square of 2 in it, and with a little square of 3 beside them, on 0. */
export const LABELS = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => {
  const [row, column] = [Math.floor(at / SIDE), at % SIDE];
  if (row >= 19 && column >= 19 && row < 22 && column < 22) return 3;
  if (Math.abs(row - 10) <= 1 && Math.abs(column - 10) <= 1) return 2;
  return Number(Math.hypot(row - 10, column - 10) < 6.5);
});

export const mapped = (values: readonly number[]) => LABELS.map((label) => values[label] ?? 0);
export const grey = (values: readonly number[]) => encodePng({ ...SIZE, channels: 1, data: mapped(values) });
export const raw = (data: Uint8Array, channels: 1 | 3 | 4 = 1) => sharp(data, { raw: { ...SIZE, channels } });

export type MaskFile = Buffer | Promise<Buffer>;

/** A raw folder of four pictures; `mask` gives each one's mask. */
export async function folderOf(ending: string, mask: (at: number) => MaskFile): Promise<string> {
  const folder = fresh();
  for (let at = 0; at < COUNT; at++) {
    const picture = encodePng({ ...SIZE, channels: 1, data: new Uint8Array(SIDE * SIDE).fill(20 * at) });
    trees.put(folder, `images/p${at}.png`, picture);
    trees.put(folder, `masks/p${at}${ending}`, await mask(at));
  }
  return folder;
}

export const settingsOf = (options: ReadingOptions): Partial<Settings> => {
  const reading = parseReading(options);
  return reading === undefined ? {} : { reading };
};

interface Prepared {
  readonly labels: number[];
  readonly notes: string;
  readonly yaml: string;
}

export async function prepared(folder: string, settings: Partial<Settings> = {}): Promise<Prepared> {
  const out = fresh();
  const { notes } = await run("folder", folder, out, settings);
  const yaml = readFileSync(join(out, "dataset.yaml"), "utf8");
  return { labels: [...(await readMask(join(out, "mask", "p0.png"))).data], notes: notes.join("\n"), yaml };
}

export const refusal = async (folder: string, settings: Partial<Settings> = {}): Promise<string> =>
  run("folder", folder, fresh(), settings).then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message.replaceAll(folder, "RAW") : ""),
  );

/** A grey picture of one value, another for each `seed`. */
export const picture = (seed: number) =>
  encodePng({ ...SIZE, channels: 1, data: new Uint8Array(SIDE * SIDE).fill(20 * seed) });

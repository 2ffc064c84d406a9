import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { encodeWebp } from "../../data/codec/webp.ts";
import { decodeImage } from "../../data/decode.ts";
import type { FeaturePicture } from "./data.ts";
import { dataUrl } from "./thumbnails.ts";

/** A page of maps is made to fit in; its lettering stays legible. */
const MOST = { width: 1600, height: 4000 } as const;
const QUALITY = 80;

/** The pages that `svanet features` has written into some folders, or into a folder right below one of them. */
export async function readFeatures(folders: readonly string[]): Promise<FeaturePicture[]> {
  const places = folders.flatMap((folder) => [folder, ...foldersBelow(folder)].map((place) => ({ folder, place })));
  const found: FeaturePicture[] = [];
  for (const { folder, place } of new Map(places.map((one) => [one.place, one])).values()) {
    for (const name of pagesIn(place)) {
      const file = join(place, `${name}.png`);
      const page = await encodeWebp(await decodeImage(await readFile(file), file), { within: MOST, quality: QUALITY });
      found.push({ name: [relative(folder, place), name].filter(Boolean).join(": "), picture: dataUrl("webp", page) });
    }
  }
  return found;
}

const foldersBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort();

/** Names of the pages: beside each lies the array of its first network. */
function pagesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".png"));
  const stems = names.map((name) => name.slice(0, -".png".length)).sort();
  return stems.filter((stem) => ["", "-0"].some((row) => existsSync(join(folder, `${stem}${row}.npy`))));
}

import { stat } from "node:fs/promises";
import { dirname, join, parse, relative, sep } from "node:path";
import { DataError } from "../../errors.ts";
import { replaceFile } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import { encodePng } from "../codec/png.ts";
import type { SplitName } from "../dataset/dataset.ts";
import { readBytes } from "../decode.ts";
import type { ByteImage } from "../image/image.ts";
import type { Destination } from "./plan.ts";

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.size > 0,
    () => false,
  );
}

/** A file's place in the dataset; the name must be a plain one, so that nothing can be written elsewhere. */
function placeOf(folder: string, part: SplitName | "mask", name: string): string {
  if (!/^[^/\\:*?"<>|]+$/.test(name) || name.startsWith(".")) {
    throw new DataError(`${JSON.stringify(name)}: this name cannot be used for a file; rename the raw file`);
  }
  return join(folder, part, name);
}

/** Writes images with their masks, each file whole or not at all. */
export class Sink {
  readonly files: string[] = [];
  readonly notes: string[] = [];
  readonly #destination: Destination;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  /** Whether both files were finished before; then they are counted as done. */
  async isDone(split: SplitName, imageName: string): Promise<boolean> {
    const { image, mask } = this.#names(split, imageName);
    if (!((await exists(image)) && (await exists(mask)))) return false;
    this.#count(image, mask);
    return true;
  }

  /** Writes image (copied where it is a file's path) and mask; the mask is named after the image's stem. */
  async put(split: SplitName, imageName: string, content: ByteImage | string, mask: ByteImage): Promise<void> {
    const names = this.#names(split, imageName);
    const { palette } = this.#destination;
    for (const file of [names.image, names.mask]) makeFolder(dirname(file));
    await replaceFile(names.image, typeof content === "string" ? await readBytes(content) : encodePng(content));
    await replaceFile(names.mask, encodePng(mask, palette));
    this.#count(names.image, names.mask);
  }

  #names(split: SplitName, imageName: string): { image: string; mask: string } {
    const { folder } = this.#destination;
    const mask = placeOf(folder, "mask", `${parse(imageName).name}.png`);
    return { image: placeOf(folder, split, imageName), mask };
  }

  #count(...files: readonly string[]): void {
    this.files.push(...files.map((file) => relative(this.#destination.folder, file).split(sep).join("/")));
  }
}

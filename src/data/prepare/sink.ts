import { stat } from "node:fs/promises";
import { dirname, join, parse, relative, sep } from "node:path";
import { DataError } from "../../errors.ts";
import { replaceFile } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import { encodePng } from "../codec/png.ts";
import { encodeGrey16 } from "../codec/png-grey16.ts";
import type { SplitName } from "../dataset/dataset.ts";
import { readBytes, readMask } from "../decode.ts";
import type { ByteImage } from "../image/image.ts";
import { INSTANCE_FOLDER, type InstanceMap } from "../masks/instances.ts";
import type { ClassCount, Destination } from "./plan.ts";

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.size > 0,
    () => false,
  );
}

/** A file's place in the dataset; the name must be a plain one, so that nothing can be written elsewhere. */
function placeOf(folder: string, part: SplitName | "mask" | typeof INSTANCE_FOLDER, name: string): string {
  if (!/^[^/\\:*?"<>|]+$/.test(name) || name.startsWith(".")) {
    throw new DataError(`${JSON.stringify(name)}: this name cannot be used for a file; rename the raw file`);
  }
  return join(folder, part, name);
}

/** An image with its mask as a task makes them. */
export interface Made {
  readonly split: SplitName;
  /** With its ending; masks and objects are named after its stem. */
  readonly imageName: string;
  /** A picture to be stored as PNG; a file's path: it is taken as it is; or the file itself. */
  readonly content: ByteImage | string | Buffer;
  readonly mask: ByteImage;
  readonly instances?: InstanceMap | undefined;
}

/** Takes what a task makes. */
export interface Receiver {
  /** What a person should know. */
  readonly notes: string[];
  /** Whether an image was finished before; then it is counted as done. */
  isDone(split: SplitName, imageName: string): Promise<boolean>;
  put(made: Made): Promise<void>;
}

/** Writes images with their masks, each file whole or not at all, and counts classes; without a folder it only counts. */
export class Sink implements Receiver {
  readonly files: string[] = [];
  readonly notes: string[] = [];
  readonly #counts = new Map<number, { pixels: number; images: number }>();
  readonly #destination: Destination;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  /** By label, ascending. */
  get classes(): ClassCount[] {
    return [...this.#counts].map(([label, count]) => ({ label, ...count })).sort((a, b) => a.label - b.label);
  }

  async isDone(split: SplitName, imageName: string): Promise<boolean> {
    const { folder } = this.#destination;
    if (folder === undefined) return false;
    const { image, mask, objects } = namesIn(folder, split, imageName);
    if (!((await exists(image)) && (await exists(mask)))) return false;
    this.#countFiles(folder, image, mask, ...((await exists(objects)) ? [objects] : []));
    this.#countClasses(await readMask(mask));
    return true;
  }

  async put({ split, imageName, content, mask, instances }: Made): Promise<void> {
    this.#countClasses(mask);
    const { folder, palette } = this.#destination;
    const names = namesIn(folder ?? "", split, imageName);
    // The mask last: where it stands, all of the image does.
    const files = [names.image, ...(instances ? [names.objects] : []), names.mask];
    this.#countFiles(folder ?? "", ...files);
    if (folder === undefined) return;
    for (const file of files) makeFolder(dirname(file));
    await replaceFile(names.image, await bytesOf(content));
    if (instances) {
      await replaceFile(names.objects, encodeGrey16(instances.data, instances.width, instances.height));
    }
    await replaceFile(names.mask, encodePng(mask, palette));
  }

  #countFiles(folder: string, ...files: readonly string[]): void {
    this.files.push(...files.map((file) => relative(folder, file).split(sep).join("/")));
  }

  #countClasses({ data }: ByteImage): void {
    const pixels = new Float64Array(256);
    for (const label of data) pixels[label] = (pixels[label] ?? 0) + 1;
    for (const [label, count] of pixels.entries()) {
      if (count === 0) continue;
      const before = this.#counts.get(label) ?? { pixels: 0, images: 0 };
      this.#counts.set(label, { pixels: before.pixels + count, images: before.images + 1 });
    }
  }
}

/** The bytes of an image's file. */
async function bytesOf(content: Made["content"]): Promise<Buffer> {
  if (content instanceof Uint8Array) return content;
  return typeof content === "string" ? await readBytes(content) : encodePng(content);
}

function namesIn(folder: string, split: SplitName, imageName: string) {
  const own = `${parse(imageName).name}.png`;
  return {
    image: placeOf(folder, split, imageName),
    mask: placeOf(folder, "mask", own),
    objects: placeOf(folder, INSTANCE_FOLDER, own),
  };
}

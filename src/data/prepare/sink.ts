/** Writing one image with its mask, each file whole or not at all. */
import { copyFile, mkdir, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../errors.ts";
import { encodePng } from "../codec/png.ts";
import type { SplitName } from "../dataset/dataset.ts";
import type { ByteImage } from "../image/image.ts";
import type { Target } from "./plan.ts";

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.size > 0,
    () => false,
  );
}

/** A file's place in the dataset; the name must be a plain one, so that nothing can be written elsewhere. */
export function placeOf(folder: string, part: SplitName | "mask", name: string): string {
  if (!/^[^/\\:*?"<>|]+$/.test(name) || name.startsWith(".")) {
    throw new DataError(`${JSON.stringify(name)}: this name cannot be used for a file; rename the raw file`);
  }
  return path.join(folder, part, name);
}

export class Sink {
  readonly files: string[] = [];
  readonly notes: string[] = [];
  private readonly target: Target;

  constructor(target: Target) {
    this.target = target;
  }

  /** Whether both files were finished before; then they are counted as done. */
  async isDone(split: SplitName, imageName: string): Promise<boolean> {
    const { image, mask } = this.names(split, imageName);
    if (!((await exists(image)) && (await exists(mask)))) return false;
    this.count(image, mask);
    return true;
  }

  /** Writes image (copied where it is a file's path) and mask; the mask is named after the image's stem. */
  async put(split: SplitName, imageName: string, content: ByteImage | string, mask: ByteImage): Promise<void> {
    const names = this.names(split, imageName);
    const { palette } = this.target;
    await this.write(names.image, (temporary) =>
      typeof content === "string" ? copyFile(content, temporary) : writeFile(temporary, encodePng(content)),
    );
    await this.write(names.mask, (temporary) => writeFile(temporary, encodePng(mask, palette)));
    this.count(names.image, names.mask);
  }

  private names(split: SplitName, imageName: string): { image: string; mask: string } {
    const { folder } = this.target;
    const mask = placeOf(folder, "mask", `${path.parse(imageName).name}.png`);
    return { image: placeOf(folder, split, imageName), mask };
  }

  private count(...files: readonly string[]): void {
    this.files.push(...files.map((file) => path.relative(this.target.folder, file).split(path.sep).join("/")));
  }

  private async write(file: string, fill: (temporary: string) => Promise<void>): Promise<void> {
    const temporary = path.join(path.dirname(file), `.${path.basename(file)}.tmp`);
    await mkdir(path.dirname(file), { recursive: true });
    await fill(temporary);
    await rename(temporary, file);
  }
}

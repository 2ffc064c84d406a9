import { basename, extname, join } from "node:path";
import { readImage, writePng } from "../data/decode.ts";
import type { ByteImage } from "../data/image.ts";
import type { Rgb } from "../data/png.ts";
import { resize } from "../data/resample.ts";
import { normalise } from "../data/sample.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Inference, Network } from "./network.ts";
import { overlay } from "./overlay.ts";

export interface Prediction {
  /** Class of every pixel at the image's own size. */
  readonly mask: ByteImage;
  readonly image: ByteImage;
}

/** How many compiled sizes are kept: images of a set mostly share a few. */
const KEPT_PROGRAMS = 4;

/**
 * Predicts images of any size: stretched to the trained size as in training, logits resized back to the image's own
 * size bilinearly, then the class with the highest logit.
 */
export class Predictor {
  readonly #network: Network;
  readonly #checkpoint: Checkpoint;
  readonly #programs = new Map<string, Inference>();

  constructor(network: Network, checkpoint: Checkpoint) {
    this.#network = network;
    this.#checkpoint = checkpoint;
  }

  async predict(file: string): Promise<Prediction> {
    const image = await readImage(file);
    const { height, width } = this.#network.config;
    const stretched =
      image.width === width && image.height === height ? image : resize(image, { width, height }, "bicubic");
    const inference = await this.#programFor(image);
    const { mean, std } = this.#checkpoint.facts;
    inference.program.write("image", normalise(stretched, { mean, std }));
    inference.program.run();
    const classes = await inference.program.readInts(inference.classes);
    const mask: ByteImage = { width: image.width, height: image.height, channels: 1, data: Uint8Array.from(classes) };
    return { mask, image };
  }

  async #programFor({ width, height }: ByteImage): Promise<Inference> {
    const key = `${width}x${height}`;
    const known = this.#programs.get(key);
    if (known) {
      this.#programs.delete(key);
      this.#programs.set(key, known);
      return known;
    }
    const [oldest] = this.#programs;
    if (oldest && this.#programs.size >= KEPT_PROGRAMS) {
      this.#programs.delete(oldest[0]);
      oldest[1].program.destroy();
    }
    const made = await this.#network.inference({ batch: 1, native: { width, height } });
    this.#programs.set(key, made);
    return made;
  }
}

/** Writes `<stem>.png` (class indices with a palette) and `<stem>-overlay.png`. Returns their paths. */
export async function writePrediction(
  folder: string,
  file: string,
  { mask, image }: Prediction,
  colours: readonly Rgb[],
): Promise<{ readonly mask: string; readonly overlay: string }> {
  const stem = basename(file, extname(file));
  const paths = { mask: join(folder, `${stem}.png`), overlay: join(folder, `${stem}-overlay.png`) };
  await writePng(paths.mask, mask, colours);
  await writePng(paths.overlay, overlay(image, mask, colours));
  return paths;
}

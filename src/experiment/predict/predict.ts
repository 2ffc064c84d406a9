import { mirroredCrop } from "../../data/image/crops.ts";
import { type ByteImage, type Picture, requirePicture, type Size } from "../../data/image/image.ts";
import { normalise } from "../../data/image/normalise.ts";
import { resize } from "../../data/image/resample.ts";
import { OutOfMemoryError, UsageError } from "../../errors.ts";
import { channelsOf } from "../../model/definition.ts";
import type { Inference, Network } from "../../training/network.ts";
import type { Precision } from "../../training/passes.ts";
import type { CheckpointFacts } from "../checkpoint/facts.ts";
import { type ClassRule, postprocessed } from "../evaluate/postprocess.ts";
import { type ImageFacts, type ImagePlan, planImage, tooLarge } from "./image-plan.ts";
import { blendTiles, TILE_OVERLAP, type TileOptions } from "./tiles.ts";
import { averageViews } from "./views.ts";

export interface PredictorOptions {
  /** Cut large images into tiles of this size. */
  readonly tiles?: TileOptions;
  /** Average the probabilities of all flips and quarter turns. */
  readonly views?: boolean;
  /** How activations and weights are stored (default: f32). */
  readonly precision?: Precision;
  /** Which objects are removed from the mask; probabilities stay as they are. */
  readonly rules?: readonly ClassRule[];
}

/** Takes class probabilities `[rows, width, classes]` of an image from top to bottom, each row once. */
type ProbabilitySink = (rows: Float32Array) => void;

/** How many compiled sizes are kept: images of a set mostly share a few. */
const KEPT_PROGRAMS = 4;

/** What a predictor must know of a checkpoint. */
interface PredictorSource {
  readonly facts: Pick<CheckpointFacts, "mean" | "std" | "resolution">;
}

/**
 * Predicts images of any size: stretched to the trained size as in training, logits resized back to the image's own
 * size bilinearly, then the class with the highest logit. With tiles each tile is treated so, and with tiles or views
 * probabilities are averaged and the most probable class is taken. A network that was trained on patches at the images' own
 * resolution always works by tiles of its size, which are never stretched; a smaller image is mirrored at its border.
 */
export class Predictor {
  readonly #network: Network;
  readonly #facts: PredictorSource["facts"];
  readonly #options: PredictorOptions;
  readonly #programs = new Map<string, Inference>();

  /** UsageError where tiles are asked for that a network which sees images at their own resolution cannot take. */
  constructor(network: Network, { facts }: PredictorSource, options: PredictorOptions = {}) {
    this.#network = network;
    this.#facts = facts;
    this.#options = this.#isNative ? { ...options, tiles: nativeTiles(network, options) } : options;
  }

  get #isNative(): boolean {
    return this.#facts.resolution === "native";
  }

  /** Class of every pixel of an image, of RGB or of the network's channels, at its own size. ShapeError where the image is not what it says. */
  async mask(image: Picture, sink?: ProbabilitySink): Promise<ByteImage> {
    requirePicture("Predictor.mask", image, channelsOf(this.#network.config));
    const { tiles, views, rules = [] } = this.#options;
    const labels = await this.#explained(image, sink, () =>
      tiles || views ? this.#averaged(image, sink) : this.#direct(image, sink),
    );
    return { width: image.width, height: image.height, channels: 1, data: postprocessed(labels, image, rules) };
  }

  /**
   * What predicting an image takes, told from its size before anything is compiled. Throws OutOfMemoryError, which names it by
   * `name` and the tiles that help, where it does not fit here.
   */
  plan(image: ImageFacts, name: string, probabilities: boolean): ImagePlan {
    const work = { ...this.#options, probabilities, fixed: this.#isNative };
    try {
      return planImage(this.#network, image, work);
    } catch (error) {
      throw error instanceof OutOfMemoryError ? tooLarge(this.#network, name, image, work, error) : error;
    }
  }

  /** Frees the programs. */
  destroy(): void {
    for (const { program } of this.#programs.values()) program.destroy();
    this.#programs.clear();
  }

  /** Says of what does not fit after all, since only the GPU knew, what would. */
  async #explained<R>(image: Picture, sink: ProbabilitySink | undefined, work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      const how = { ...this.#options, probabilities: sink !== undefined, fixed: this.#isNative };
      throw tooLarge(this.#network, "the image", image, how, error);
    }
  }

  async #direct(image: Picture, sink: ProbabilitySink | undefined): Promise<Uint8Array> {
    const inference = await this.#run(image, sink !== undefined);
    const wanted = sink ? [inference.classes, inference.probabilities] : [inference.classes];
    const [classes, probabilities] = await inference.program.readAll(wanted);
    if (sink && probabilities) sink(new Float32Array(probabilities));
    return Uint8Array.from(new Int32Array(classes ?? new ArrayBuffer(0)));
  }

  async #averaged(image: Picture, sink: ProbabilitySink | undefined): Promise<Uint8Array> {
    const { tiles = { size: image, overlap: 0 }, views } = this.#options;
    const { classes } = this.#network.config;
    const labels = new Uint8Array(image.width * image.height);
    let done = 0;
    const score = (part: Picture) => this.#scores(part);
    await blendTiles(
      image,
      classes,
      tiles,
      (part) => (views ? averageViews(part, classes, score) : score(part)),
      (rows) => {
        sink?.(rows);
        for (let at = 0; at < rows.length; at += classes) labels[done++] = highest(rows, at, classes);
      },
    );
    return labels;
  }

  async #scores(image: Picture): Promise<Float32Array> {
    const { height, width } = this.#network.config;
    const isShort = this.#isNative && (image.width < width || image.height < height);
    const shown = isShort ? mirroredCrop(image, { left: 0, top: 0, width, height }) : image;
    const { program, probabilities } = await this.#run(shown, true);
    const scores = await program.read(probabilities);
    return isShort ? firstOf(scores, shown, image) : scores;
  }

  async #run(image: Picture, probabilities: boolean): Promise<Inference> {
    const { height, width } = this.#network.config;
    const stretched =
      image.width === width && image.height === height ? image : resize(image, { width, height }, "bicubic");
    const inference = await this.#programFor(image, probabilities);
    const { mean, std } = this.#facts;
    inference.feed(inference.program, normalise(stretched, { mean, std }));
    inference.program.run();
    return inference;
  }

  async #programFor({ width, height }: Size, probabilities: boolean): Promise<Inference> {
    const key = `${width}x${height}${probabilities ? " with probabilities" : ""}`;
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
    const { precision } = this.#options;
    const made = await this.#network.inference({ batch: 1, native: { width, height }, probabilities, precision });
    this.#programs.set(key, made);
    return made;
  }
}

/** The tiles of a network that never sees a stretched image: of the size it was trained at, and no other. */
function nativeTiles({ config: { width, height } }: Network, { tiles }: PredictorOptions): TileOptions {
  if (tiles !== undefined && (tiles.size.width !== width || tiles.size.height !== height)) {
    throw new UsageError(
      `tiles of ${tiles.size.width}x${tiles.size.height}: this network was trained on patches of ${width}x${height} at the images' own ` +
        "resolution, which its tiles keep; leave the size out (--tile)",
    );
  }
  return { size: { width, height }, overlap: tiles?.overlap ?? TILE_OVERLAP };
}

/** Of scores `[whole, classes]` those of the pixels of an image that lies in the upper left corner of `whole`. */
function firstOf(scores: Float32Array, whole: Size, image: Size): Float32Array {
  const classes = scores.length / (whole.width * whole.height);
  const out = new Float32Array(image.width * image.height * classes);
  for (let row = 0; row < image.height; row++) {
    const from = row * whole.width * classes;
    out.set(scores.subarray(from, from + image.width * classes), row * image.width * classes);
  }
  return out;
}

/** The class with the highest of `classes` scores from `at` on; the first of equal ones. */
function highest(scores: Float32Array, at: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) if ((scores[at + c] ?? 0) > (scores[at + best] ?? 0)) best = c;
  return best;
}

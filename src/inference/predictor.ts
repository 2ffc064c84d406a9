import { type ByteImage, type Picture, requirePicture } from "../data/image/image.ts";
import { OutOfMemoryError, UsageError } from "../errors.ts";
import { highest } from "../metrics/highest.ts";
import { channelsOf } from "../model/definition.ts";
import { markBorders, withoutBorder } from "../objects/borders.ts";
import type { PixelCertainty } from "../objects/measure.ts";
import type { Network } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";
import { apart, Certainty, meanScore, withSquares } from "./certainty.ts";
import { type ImageFacts, type ImagePlan, planImage, tooLarge } from "./image-plan.ts";
import { type Member, MemberRuns, type MemberSource, maskClasses, seesPatches } from "./member.ts";
import { type ClassRule, postprocessed } from "./object-rules.ts";
import { blendTiles, type Score, TILE_OVERLAP, type TileOptions } from "./tiles.ts";
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
  /** Further networks of the same classes and size: the probabilities of all are averaged. */
  readonly further?: readonly Member[];
}

/** Takes class probabilities `[rows, width, classes]` of an image from top to bottom, each row once. */
type ProbabilitySink = (rows: Float32Array) => void;

/** The same, with the means of the squares of what is averaged where they were asked for. */
type MomentSink = (rows: Float32Array, squares?: Float32Array) => void;

/** What was found in an image, and how surely. */
export interface Finding {
  readonly mask: ByteImage;
  /** Of each pixel's most probable class; the deviation is over views and networks, where there are several. */
  readonly certainty: PixelCertainty;
  /** 1 where the network sees a border between objects; only of one with such a class. */
  readonly borders?: Uint8Array | undefined;
}

/** A mask, and where borders are. */
type BorderedMask = Pick<Finding, "mask" | "borders">;

/** The label of each pixel, and 1 where borders are, where the network knows any. */
interface Labelled {
  readonly labels: Uint8Array;
  readonly borders?: Uint8Array;
}

/** Ways to lay a picture on itself. */
const VIEWS = 8;

/**
 * Predicts images of any size: stretched to the trained size as in training, logits resized back to the image's own
 * size bilinearly, then the class with the highest logit. With tiles each tile is treated so, and with tiles, views or further
 * networks probabilities are averaged and the most probable class is taken. A network that was trained on patches at the images'
 * own resolution always works by tiles of its size, which are never stretched; a smaller image is mirrored at its border.
 */
export class Predictor {
  readonly #network: Network;
  readonly #isNative: boolean;
  /** The masks' classes. */
  readonly #classes: number;
  /** Whether the last of the network's outputs is the class of borders. */
  readonly #hasBorders: boolean;
  readonly #options: PredictorOptions;
  readonly #first: MemberRuns;
  readonly #others: readonly MemberRuns[];

  /** UsageError where tiles are asked for that a network which sees images at their own resolution cannot take. */
  constructor(network: Network, checkpoint: MemberSource, options: PredictorOptions = {}) {
    const { precision, further = [] } = options;
    this.#network = network;
    this.#isNative = seesPatches(checkpoint);
    this.#classes = maskClasses({ network, checkpoint });
    this.#hasBorders = checkpoint.facts.borders !== undefined;
    this.#options = this.#isNative ? { ...options, tiles: nativeTiles(network, options) } : options;
    this.#first = new MemberRuns({ network, checkpoint }, precision);
    this.#others = further.map((member) => new MemberRuns(member, precision));
  }

  /** Class of every pixel of an image, of RGB or of the network's channels, at its own size. ShapeError where the image is not what it says. */
  async mask(image: Picture, sink?: ProbabilitySink): Promise<ByteImage> {
    requirePicture("Predictor.mask", image, channelsOf(this.#network.config));
    const { mask } = await this.#plain(image, sink);
    return mask;
  }

  /** The same, and how sure it is of each pixel: what objects are measured by. */
  async find(image: Picture, sink?: ProbabilitySink): Promise<Finding> {
    requirePicture("Predictor.find", image, channelsOf(this.#network.config));
    const spread = this.#opinions > 1;
    const certainty = new Certainty(image.width * image.height, this.#classes, spread);
    const taken: MomentSink = (rows, squares) => {
      sink?.(rows);
      certainty.add(rows, squares);
    };
    return { ...(await this.#mask(image, taken, spread)), certainty };
  }

  /** Whichever of the two is enough: how sure it is costs the probabilities. */
  async findOr(certain: boolean, image: Picture, sink?: ProbabilitySink): Promise<Partial<Finding> & BorderedMask> {
    if (certain) return this.find(image, sink);
    requirePicture("Predictor.findOr", image, channelsOf(this.#network.config));
    return this.#plain(image, sink);
  }

  /** How many probabilities are averaged for each pixel, tiles apart. */
  get #opinions(): number {
    return (1 + this.#others.length) * (this.#options.views ? VIEWS : 1);
  }

  /**
   * What predicting an image takes, told from its size before anything is compiled. Throws OutOfMemoryError, which names it by
   * `name` and the tiles that help, where it does not fit here.
   */
  plan(image: ImageFacts, name: string, probabilities: boolean): ImagePlan {
    const needed = probabilities || this.#hasBorders;
    const work = { ...this.#options, probabilities: needed, fixed: this.#isNative, networks: 1 + this.#others.length };
    try {
      return planImage(this.#network, image, work);
    } catch (error) {
      throw error instanceof OutOfMemoryError ? tooLarge(this.#network, name, image, work, error) : error;
    }
  }

  /** Frees the programs. */
  destroy(): void {
    for (const member of [this.#first, ...this.#others]) member.destroy();
  }

  #plain(image: Picture, sink: ProbabilitySink | undefined): Promise<BorderedMask> {
    return this.#mask(image, sink && ((rows) => sink(rows)), false);
  }

  async #mask(image: Picture, sink: MomentSink | undefined, squares: boolean): Promise<BorderedMask> {
    const { tiles, views, rules = [] } = this.#options;
    const averaged = tiles !== undefined || views === true || this.#others.length > 0 || this.#hasBorders;
    const { labels, borders } = await this.#explained(image, sink !== undefined, () =>
      averaged ? this.#averaged(image, sink, squares) : this.#direct(image, sink),
    );
    const { width, height } = image;
    const mask: ByteImage = { width, height, channels: 1, data: postprocessed(labels, image, rules) };
    return { mask, ...(borders ? { borders } : {}) };
  }

  /** Says of what does not fit after all, since only the GPU knew, what would. */
  async #explained<R>(image: Picture, probabilities: boolean, work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      const how = { ...this.#options, probabilities, fixed: this.#isNative };
      throw tooLarge(this.#network, "the image", image, how, error);
    }
  }

  async #direct(image: Picture, sink: MomentSink | undefined): Promise<Labelled> {
    const inference = await this.#first.run(image, sink !== undefined);
    const wanted = sink ? [inference.classes, inference.probabilities] : [inference.classes];
    const [classes, probabilities] = await inference.program.readAll(wanted);
    if (sink && probabilities) sink(new Float32Array(probabilities));
    return { labels: Uint8Array.from(new Int32Array(classes ?? new ArrayBuffer(0))) };
  }

  async #averaged(image: Picture, sink: MomentSink | undefined, squares: boolean): Promise<Labelled> {
    const { tiles = { size: image, overlap: 0 } } = this.#options;
    const outputs = this.#network.config.classes;
    const classes = this.#classes;
    const labels = new Uint8Array(image.width * image.height);
    const borders = this.#hasBorders ? new Uint8Array(labels.length) : undefined;
    const ownOf = (rows: Float32Array) => (borders ? withoutBorder(rows, classes) : rows);
    let done = 0;
    const emit = (rows: Float32Array, squareRows?: Float32Array) => {
      if (borders) markBorders(rows, classes, borders, done);
      const own = ownOf(rows);
      sink?.(own, squareRows && ownOf(squareRows));
      for (let at = 0; at < own.length; at += classes) labels[done++] = highest(own, at, classes);
    };
    const score = this.#score(squares);
    if (squares) {
      await blendTiles(image, 2 * outputs, tiles, score, (rows) => {
        const { scores, squares: squareRows } = apart(rows, outputs);
        emit(scores, squareRows);
      });
    } else await blendTiles(image, outputs, tiles, score, (rows) => emit(rows));
    return { labels, ...(borders ? { borders } : {}) };
  }

  /** What a part of an image scores in the mean over views and networks, and the squares' means behind it where asked for. */
  #score(squares: boolean): Score {
    const { classes } = this.#network.config;
    const values = squares ? 2 * classes : classes;
    const one = (member: MemberRuns): Score => {
      const plain: Score = (part) => member.scores(part);
      const score = squares ? withSquares(plain, classes) : plain;
      return this.#options.views ? (part) => averageViews(part, values, score) : score;
    };
    return meanScore([one(this.#first), ...this.#others.map(one)]);
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

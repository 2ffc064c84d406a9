import { mirroredCrop } from "../data/image/crops.ts";
import type { Picture, Size } from "../data/image/image.ts";
import { normalise } from "../data/image/normalise.ts";
import { resize } from "../data/image/resample.ts";
import { foldBorders } from "../objects/borders.ts";
import type { Inference, Network } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";
import type { CheckpointFacts } from "./checkpoint/facts.ts";

/** What must be known of a checkpoint. */
export interface MemberSource {
  readonly facts: Pick<CheckpointFacts, "mean" | "std" | "resolution" | "borders">;
}

/** A network on the GPU and the checkpoint it was filled from. */
export interface Member {
  readonly network: Network;
  readonly checkpoint: MemberSource;
}

/** The classes that a network's masks have: all its outputs, but for that of borders. */
export const maskClasses = ({ network, checkpoint }: Member): number =>
  network.config.classes - (checkpoint.facts.borders === undefined ? 0 : 1);

/** Whether a network was trained on patches at the images' own resolution, so that it never sees a stretched image. */
export const seesPatches = ({ facts }: MemberSource): boolean => facts.resolution === "native";

/** How many compiled sizes are kept: images of a set mostly share a few. */
const KEPT_PROGRAMS = 4;

/** Runs one network on images of any size, and keeps its programs. */
export class MemberRuns {
  readonly #member: Member;
  readonly #precision: Precision | undefined;
  readonly #programs = new Map<string, Inference>();

  constructor(member: Member, precision: Precision | undefined) {
    this.#member = member;
    this.#precision = precision;
  }

  /** Probabilities `[height, width, outputs]` of an image, at its own size; those of a border class folded into the others. */
  async scores(image: Picture): Promise<Float32Array> {
    const { network, checkpoint } = this.#member;
    const { height, width } = network.config;
    const isShort = seesPatches(checkpoint) && (image.width < width || image.height < height);
    const shown = isShort ? mirroredCrop(image, { left: 0, top: 0, width, height }) : image;
    const { program, probabilities } = await this.run(shown, true);
    const found = await program.read(probabilities);
    const scores = checkpoint.facts.borders === undefined ? found : foldBorders(found, maskClasses(this.#member));
    return isShort ? firstOf(scores, shown, image) : scores;
  }

  /** An image stretched to the trained size, normalised and run; results of its own size can be read. */
  async run(image: Picture, probabilities: boolean): Promise<Inference> {
    const { network, checkpoint } = this.#member;
    const { height, width } = network.config;
    const stretched =
      image.width === width && image.height === height ? image : resize(image, { width, height }, "bicubic");
    const inference = await this.#programFor(image, probabilities);
    const { mean, std } = checkpoint.facts;
    inference.feed(inference.program, normalise(stretched, { mean, std }));
    inference.program.run();
    return inference;
  }

  /** Frees the programs. */
  destroy(): void {
    for (const { program } of this.#programs.values()) program.destroy();
    this.#programs.clear();
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
    const precision = this.#precision;
    const { network } = this.#member;
    const made = await network.inference({ batch: 1, native: { width, height }, probabilities, precision });
    this.#programs.set(key, made);
    return made;
  }
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

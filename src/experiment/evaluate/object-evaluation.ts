import { existsSync } from "node:fs";
import { instanceFileOf, readInstances } from "../../data/dataset/instance-files.ts";
import { DataError } from "../../errors.ts";
import { compareObjects, type ImageObjects, objectScores } from "../../metrics/object-scores.ts";
import { objectsOfInstances, withoutIgnoredPixels } from "../../objects/instances.ts";
import { meanOver } from "../../objects/measure.ts";
import { type MaskObject, objectsOf, type PartingDepths } from "../../objects/split.ts";
import type { EvaluatedMap, ObjectResult } from "./scores.ts";
import { SeparationChoice } from "./separation.ts";

interface ObjectOptions {
  /** Names by label, background first. */
  readonly classes: readonly string[];
  readonly depths: PartingDepths;
  /** Also find the depths that part best. */
  readonly choose: boolean;
}

/** Compares objects, image by image: those that a dataset numbers in `instances/`, else the masks' connected components. */
export class ObjectEvaluation {
  readonly choice: SeparationChoice | undefined;
  readonly #options: ObjectOptions;
  readonly #images: ImageObjects[] = [];
  readonly #sources = new Set<"instances" | "components">();

  constructor(options: ObjectOptions) {
    this.#options = options;
    this.choice = options.choose ? new SeparationChoice(options.classes) : undefined;
  }

  /** Takes one image at its own size. DataError where its file of objects cannot be read or has another size. */
  async add(map: EvaluatedMap): Promise<void> {
    const truth = await this.#truthOf(map);
    this.#images.push(...this.#compared(map, truth, this.#options.depths));
    this.choice?.add((depth) =>
      this.#compared(
        map,
        truth,
        this.#options.classes.slice(1).map(() => depth),
      ),
    );
  }

  result(): ObjectResult {
    const [source = "components"] = this.#sources;
    const truth = this.#sources.size > 1 ? "mixed" : source;
    return { ...objectScores(this.#images), truth, depths: this.#options.depths, images: this.#images };
  }

  async #truthOf({ sample, target, width, height }: EvaluatedMap): Promise<readonly MaskObject[]> {
    const file = instanceFileOf(sample);
    if (!existsSync(file)) {
      this.#sources.add("components");
      return objectsOf(target, { width, height }, this.#options.classes.length);
    }
    this.#sources.add("instances");
    const numbers = await readInstances(file);
    if (numbers.width === width && numbers.height === height) return objectsOfInstances(numbers.data, target);
    throw new DataError(
      `${file}: has ${numbers.width}x${numbers.height} pixels, its mask ${width}x${height}; prepare the set anew`,
    );
  }

  #compared(map: EvaluatedMap, truth: readonly MaskObject[], depths: PartingDepths): ImageObjects[] {
    const { sample, prediction, target, certainty, borders } = map;
    const names = this.#options.classes;
    const found = withoutIgnoredPixels(objectsOf(prediction, map, names.length, { depths, borders }), target);
    const ofClass = (objects: readonly MaskObject[], label: number) => objects.filter((one) => one.class === label);
    return names.slice(1).map((_, index) =>
      compareObjects({
        image: sample.stem,
        class: index + 1,
        truth: ofClass(truth, index + 1),
        predicted: ofClass(found, index + 1).map(({ pixels }) => ({
          pixels,
          score: certainty && meanOver(certainty.probability, pixels),
        })),
        pixels: target.length,
      }),
    );
  }
}

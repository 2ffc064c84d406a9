import { readdir } from "node:fs/promises";
import { dirname, join, parse } from "node:path";
import { DataError } from "../../errors.ts";
import { decodePng } from "../codec/png.ts";
import { readBytes, readMask } from "../decode.ts";
import { INSTANCE_FOLDER, type InstanceMap } from "../masks/instances.ts";
import type { Dataset, Sample } from "./dataset.ts";
import { placed } from "./duplicates.ts";
import { type Problem, problem, unreadable } from "./problems.ts";
import type { SplitSurvey } from "./survey.ts";

/** Where a dataset folder keeps the single objects of a sample, if it does. */
export const instanceFileOf = ({ mask, stem }: Pick<Sample, "mask" | "stem">): string =>
  join(dirname(dirname(mask)), INSTANCE_FOLDER, `${stem}.png`);

/** The objects in `instances/<stem>.png` of a dataset folder. Throws DataError where the file is missing, damaged or no grey picture. */
export async function readInstances(file: string): Promise<InstanceMap> {
  const { width, height, kind, samples } = decodePng(await readBytes(file), file);
  if (kind === "grey") return { width, height, data: samples };
  throw new DataError(`${file}: objects are stored as grey PNG of 16 bits, this is ${kind}; write it anew`);
}

/** What is odd about one file beside its mask; undefined where nothing is. */
async function differenceOf(file: string, maskFile: string): Promise<Problem | undefined> {
  try {
    const [{ width, height, data }, mask] = [await readInstances(file), await readMask(maskFile)];
    if (width !== mask.width || height !== mask.height) {
      const what = `has ${width}x${height} pixels, its mask ${mask.width}x${mask.height}`;
      return problem("instances-differ", file, what, "prepare the set anew");
    }
    const outside = data.findIndex((object, pixel) => object > 0 && mask.data[pixel] === 0);
    if (outside < 0) return undefined;
    const place = `row ${Math.floor(outside / width)}, column ${outside % width}`;
    return problem(
      "instances-differ",
      file,
      `has object ${data[outside]} at ${place}, where the mask has background`,
      "prepare the set anew",
    );
  } catch (error) {
    return unreadable(file, error);
  }
}

/** What is odd in the folder of objects, where a dataset has one: files that fit no mask, sizes, objects on background. */
export async function instanceFindings({ folder }: Dataset, splits: readonly SplitSurvey[]): Promise<Problem[]> {
  const names = await readdir(join(folder, INSTANCE_FOLDER)).catch(() => []);
  const masks = new Map(placed(splits).map(({ sample }) => [sample.stem, sample.mask]));
  const findings: Problem[] = [];
  for (const name of names.filter((one) => !one.startsWith(".")).sort()) {
    const file = join(folder, INSTANCE_FOLDER, name);
    const mask = masks.get(parse(name).name);
    const found =
      mask === undefined
        ? problem("instances-differ", file, "belongs to no image of train, val or test", "remove it")
        : await differenceOf(file, mask);
    if (found !== undefined) findings.push(found);
  }
  return findings;
}

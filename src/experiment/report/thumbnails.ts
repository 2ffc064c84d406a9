import { readImageSource } from "../../data/channel-picture.ts";
import { encodeWebp } from "../../data/codec/webp.ts";
import { openDataset, type Sample } from "../../data/dataset/dataset.ts";
import { drawn } from "../../data/image/image.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { DataError } from "../../errors.ts";

/** Pixels of a thumbnail's longer side; 2,000 of them are about 4 MB. */
const SIDE = 96;
const QUALITY = 55;
/** Pictures that are decoded at a time. */
const AT_ONCE = 8;

/** Bytes of a picture as a page takes them in. */
export const dataUrl = (kind: "webp" | "png", bytes: Uint8Array): string =>
  `data:image/${kind};base64,${Buffer.from(bytes).toString("base64")}`;

/** The images of a data set's folder by their names, whatever their split; none, and why, where it cannot be opened. */
export async function samplesOf(
  folder: string,
  note: (sentence: string) => void,
): Promise<ReadonlyMap<string, Sample>> {
  try {
    const { splits } = await openDataset(folder);
    return new Map(Object.values(splits).flatMap((samples) => samples.map((sample) => [sample.stem, sample] as const)));
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    note(`no pictures of ${folder}: ${error.message}`);
    return new Map();
  }
}

/** Small pictures of some images as data URLs, in their order; null, and why, for one that cannot be read. */
export async function thumbnails(
  samples: readonly (Sample | undefined)[],
  note: (sentence: string) => void,
): Promise<(string | null)[]> {
  const found = new Array<string | null>(samples.length).fill(null);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < samples.length; at = next++) {
      const sample = samples[at];
      if (sample !== undefined) found[at] = await thumbnail(sample, note);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

async function thumbnail(sample: Sample, note: (sentence: string) => void): Promise<string | null> {
  try {
    const picture = shownInColour(drawn(await readImageSource(sample, { dataset: sample.window })));
    return dataUrl("webp", await encodeWebp(picture, { within: { width: SIDE, height: SIDE }, quality: QUALITY }));
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    note(error.message);
    return null;
  }
}

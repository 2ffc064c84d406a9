import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writePng } from "../../../src/data/decode.ts";
import { filled } from "../../../src/data/image/image.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import { fakeNetwork } from "../../support/fake-network.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-"));

/** A picture that the network, which stretches nothing of 8x8, sees as class 1 in its left columns, and its mask. */
async function pair(stem: string, bright: number, labelled: number) {
  const [image, mask] = [join(folder, `${stem}.png`), join(folder, `${stem}-mask.png`)];
  const picture = filled({ width: 8, height: 8 }, 3, 0);
  const labels = filled({ width: 8, height: 8 }, 1, 0);
  for (let at = 0; at < 64; at++) {
    if (at % 8 < bright) picture.data.fill(255, 3 * at, 3 * at + 3);
    if (at % 8 < labelled) labels.data[at] = 1;
  }
  await writePng(image, picture);
  await writePng(mask, labels);
  return { stem, image, mask, width: 8, height: 8, labels: [] };
}

test("masks are scored as they are, scores row by row; what cannot be read is left out and named", async () => {
  const samples = [await pair("a", 4, 3), await pair("gone", 2, 2), await pair("b", 1, 2)];
  rmSync(samples[1]?.image ?? "");
  const predictor = fakeNetwork().of();
  const failures: string[] = [];
  const onFailure = ({ message }: Error, { stem }: { readonly stem: string }) =>
    void failures.push(`${stem}: ${message}`);
  const seen: string[] = [];
  const onImage = (done: number, total: number, map: { readonly sample: { readonly stem: string } }) =>
    void seen.push(`${map.sample.stem} ${done}/${total}`);
  const result = await evaluateNative({ samples, classes: 2, predictor, roc: true, onFailure, onImage });
  expect(failures).toEqual([expect.stringMatching(/^gone: .*gone\.png: there is no such file$/)]);
  expect(seen).toEqual(["a 1/3", "b 3/3"]);
  expect(result).toMatchObject({
    scoredAt: "native",
    images: [
      { name: "a", width: 8 },
      { name: "b", height: 8 },
    ],
  });
  // Columns of 8 pixels: 3 + 1 in both, 4 + 1 predicted, 3 + 2 labelled.
  const [, cell] = result.strata["all"]?.classes ?? [];
  expect(cell).toMatchObject({ intersection: 32, predicted: 40, labelled: 40 });
  // One threshold parts all: hits 32 of 40, false alarms 8 of 88.
  expect(result.roc?.area).toBeCloseTo((32 / 40 + (1 - 8 / 88)) / 2, 10);
  await expect(evaluateNative({ samples, classes: 2, predictor })).rejects.toThrow("there is no such file");
});

test("an image that does not fit is named with what helps, before anything is predicted", async () => {
  const [small, large] = [await pair("small", 1, 1), { ...(await pair("large", 1, 1)), width: 120 }];
  const seen: number[] = [];
  const onImage = (done: number) => void seen.push(done);
  await expect(
    evaluateNative({ samples: [small, large], classes: 2, predictor: fakeNetwork().of(), onImage }),
  ).rejects.toThrow(/large\.png: 120x8 pixels .* are too many at once/);
  expect(seen).toEqual([]);
});

import { expect, test } from "vitest";
import { augment, PAPER_AUGMENTATION } from "../../../src/data/image/augment.ts";
import { drawForeground } from "../../../src/data/image/crops.ts";
import { filled } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";
import { IGNORE_LABEL } from "../../../src/labels.ts";

const SIZE = { width: 64, height: 48 };
const SOURCE = { width: 400, height: 300 };

/** A picture with a speck of class 1 and a bar of class 2: 25 and 4000 pixels. */
function specks() {
  const pair = { image: filled(SOURCE, 3, 90), mask: filled(SOURCE, 1, 0) };
  const paint = (label: number, left: number, top: number, width: number, height: number) => {
    for (let y = top; y < top + height; y++) {
      pair.mask.data.fill(label, y * SOURCE.width + left, y * SOURCE.width + left + width);
    }
  };
  paint(1, 300, 200, 5, 5);
  paint(2, 20, 40, 100, 40);
  return pair;
}

const crop = (index: number, foregroundCrops: number, foreground = random(5, "foreground crop", 0, index)) =>
  augment(specks(), SIZE, random(5, "augment", 0, index), { ...PAPER_AUGMENTATION, foregroundCrops }, { foreground });

const ROUNDS = [...Array(40).keys()];
const holds = (index: number, share: number, label: number) => crop(index, share).mask.data.includes(label);

test("show an object in every crop when all aim at one, each class as often as the other", () => {
  const seen = ROUNDS.map((index) => [holds(index, 1, 1), holds(index, 1, 2)]);
  // The speck may vanish when the picture is made smaller than it.
  expect(seen.filter(([first, second]) => first || second).length).toBe(ROUNDS.length);
  const specksSeen = seen.filter(([first]) => first).length;
  expect(specksSeen).toBeGreaterThan(10);
  expect(specksSeen).toBeLessThan(30);
});

test("do not put the object in the middle every time", () => {
  const places = ROUNDS.flatMap((index) => {
    const at = crop(index, 1).mask.data.indexOf(1);
    return at < 0 ? [] : [(at % SIZE.width) / SIZE.width];
  });
  expect(Math.max(...places) - Math.min(...places)).toBeGreaterThan(0.25);
});

test("switched off they change no byte, whatever their stream gives", () => {
  for (const index of ROUNDS.slice(0, 8)) {
    const plain = augment(specks(), SIZE, random(5, "augment", 0, index));
    expect(crop(index, 0)).toEqual(plain);
    expect(crop(index, 0, random(99, "foreground crop", 7))).toEqual(plain);
  }
});

test("leave all other draws of the image as they are", () => {
  // A picture no larger than the crop has one place only: aimed or not, the result is the same.
  const pair = { image: filled(SIZE, 3, 90), mask: filled(SIZE, 1, 1) };
  const options = { ...PAPER_AUGMENTATION, scale: false, foregroundCrops: 1 };
  for (const index of ROUNDS.slice(0, 8)) {
    const plain = augment(pair, SIZE, random(5, "augment", index), { ...options, foregroundCrops: 0 });
    expect(augment(pair, SIZE, random(5, "augment", index), options, { foreground: random(5, "f", index) })).toEqual(
      plain,
    );
  }
});

test("happen as often as asked, and fall back on the drawn place without an object", () => {
  const drawn = Array.from({ length: 2000 }, (_, k) => drawForeground(random(1, "foreground crop", k), 0.3));
  expect(drawn.filter((draws) => draws !== undefined).length / drawn.length).toBeCloseTo(0.3, 1);
  const empty = { image: filled(SOURCE, 3, 9), mask: filled(SOURCE, 1, 0) };
  empty.mask.data[7] = IGNORE_LABEL;
  const options = { ...PAPER_AUGMENTATION, foregroundCrops: 1 };
  const plain = augment(empty, SIZE, random(2, "augment"), PAPER_AUGMENTATION);
  expect(augment(empty, SIZE, random(2, "augment"), options, { foreground: random(2, "f") })).toEqual(plain);
});

import { expect, it } from "vitest";
import { augment, drawForeground, paperAugmentation } from "../../../src/data/feed/augment.ts";
import { filled, ignoreLabel } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";

const size = { width: 64, height: 48 };
const source = { width: 400, height: 300 };

/** A picture with a speck of class 1 and a bar of class 2: 25 and 4000 pixels. */
function specks() {
  const pair = { image: filled(source, 3, 90), mask: filled(source, 1, 0) };
  const paint = (label: number, left: number, top: number, width: number, height: number) => {
    for (let y = top; y < top + height; y++) {
      pair.mask.data.fill(label, y * source.width + left, y * source.width + left + width);
    }
  };
  paint(1, 300, 200, 5, 5);
  paint(2, 20, 40, 100, 40);
  return pair;
}

const crop = (index: number, foregroundCrops: number, foreground = random(5, "foreground crop", 0, index)) =>
  augment(specks(), size, random(5, "augment", 0, index), { ...paperAugmentation, foregroundCrops }, foreground);

const rounds = [...Array(40).keys()];
const holds = (index: number, share: number, label: number) => crop(index, share).mask.data.includes(label);

it("show an object in every crop when all aim at one, each class as often as the other", () => {
  const seen = rounds.map((index) => [holds(index, 1, 1), holds(index, 1, 2)]);
  // The speck may vanish when the picture is made smaller than it.
  expect(seen.filter(([first, second]) => first || second).length).toBe(rounds.length);
  const specksSeen = seen.filter(([first]) => first).length;
  expect(specksSeen).toBeGreaterThan(10);
  expect(specksSeen).toBeLessThan(30);
});

it("do not put the object in the middle every time", () => {
  const places = rounds.flatMap((index) => {
    const at = crop(index, 1).mask.data.indexOf(1);
    return at < 0 ? [] : [(at % size.width) / size.width];
  });
  expect(Math.max(...places) - Math.min(...places)).toBeGreaterThan(0.25);
});

it("switched off they change no byte, whatever their stream gives", () => {
  for (const index of rounds.slice(0, 8)) {
    const plain = augment(specks(), size, random(5, "augment", 0, index));
    expect(crop(index, 0)).toEqual(plain);
    expect(crop(index, 0, random(99, "foreground crop", 7))).toEqual(plain);
  }
});

it("leave all other draws of the image as they are", () => {
  // A picture no larger than the crop has one place only: aimed or not, the result is the same.
  const pair = { image: filled(size, 3, 90), mask: filled(size, 1, 1) };
  const options = { ...paperAugmentation, scale: false, foregroundCrops: 1 };
  for (const index of rounds.slice(0, 8)) {
    const plain = augment(pair, size, random(5, "augment", index), { ...options, foregroundCrops: 0 });
    expect(augment(pair, size, random(5, "augment", index), options, random(5, "f", index))).toEqual(plain);
  }
});

it("happen as often as asked, and fall back on the drawn place without an object", () => {
  const drawn = Array.from({ length: 2000 }, (_, k) => drawForeground(random(1, "foreground crop", k), 0.3));
  expect(drawn.filter((draws) => draws !== undefined).length / drawn.length).toBeCloseTo(0.3, 1);
  const empty = { image: filled(source, 3, 9), mask: filled(source, 1, 0) };
  empty.mask.data[7] = ignoreLabel;
  const options = { ...paperAugmentation, foregroundCrops: 1 };
  const plain = augment(empty, size, random(2, "augment"), paperAugmentation);
  expect(augment(empty, size, random(2, "augment"), options, random(2, "f"))).toEqual(plain);
});

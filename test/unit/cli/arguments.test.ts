import { InvalidArgumentError } from "commander";
import { describe, expect, it as test } from "vitest";
import {
  classesArgument,
  decimal,
  deviationArgument,
  limitsArgument,
  memoryArgument,
  namesArgument,
  numberFrom,
  share,
  someOf,
  tripleArgument,
  wholeNumber,
  windowArgument,
} from "../../../src/cli/arguments.ts";

/** What is no number to any parser. */
const NO_NUMBERS = [
  "",
  " ",
  "many",
  "NaN",
  "Infinity",
  "-Infinity",
  "0x10",
  "0b1",
  "1_000",
  "5 ",
  " 5",
  "1,5",
  "1e999",
  "e3",
  ".",
];

interface Case {
  readonly parse: (text: string) => unknown;
  readonly taken: readonly (readonly [text: string, value: unknown])[];
  readonly refused: readonly string[];
  readonly sentence: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "a whole number from 1": {
    parse: wholeNumber(1),
    taken: [
      ["1", 1],
      ["512", 512],
      ["+3", 3],
      ["007", 7],
      ["1e3", 1000],
    ],
    refused: [...NO_NUMBERS, "0", "-4", "1.5", "1e-3", "9007199254740993"],
    sentence: "Expected a whole number from 1.",
  },
  "a whole number from 0": {
    parse: wholeNumber(0),
    taken: [["0", 0]],
    refused: ["-1", "0.5"],
    sentence: "Expected a whole number from 0.",
  },
  "a number of pixels": {
    parse: numberFrom(0, "pixels"),
    taken: [
      ["0", 0],
      ["2.5", 2.5],
      [".5", 0.5],
    ],
    refused: [...NO_NUMBERS, "-0.1"],
    sentence: "Expected a number of pixels from 0.",
  },
  "an amount of memory": {
    parse: memoryArgument,
    taken: [
      ["8GiB", 8 * 2 ** 30],
      ["512 MiB", 2 ** 29],
      ["24", 24 * 2 ** 30],
      ["1.5g", 1.5 * 2 ** 30],
      ["2TB", 2 ** 41],
    ],
    refused: [...NO_NUMBERS.filter((text) => text.trim() !== "5"), "0", "-1", "8PiB", "8 GiB left", "100k"],
    sentence: "Expected an amount of memory such as 8GiB or 512MiB.",
  },
  "a share": {
    parse: share(0.9),
    taken: [
      ["0", 0],
      ["0.9", 0.9],
      ["25e-2", 0.25],
    ],
    refused: [...NO_NUMBERS, "-0.1", "0.91", "50", "50%"],
    sentence: "Expected a share from 0 to 0.9.",
  },
  "a window": {
    parse: windowArgument,
    taken: [
      ["-160,240", { low: -160, high: 240 }],
      ["0.5, 1e2", { low: 0.5, high: 100 }],
    ],
    refused: ["", "5", ",240", "-160,", ",", "240,-160", "3,3", "0,1,2", "0x0,240", "low,high", "-Infinity,0"],
    sentence: "Expected two values, the lower first: --window=-160,240.",
  },
  limits: {
    parse: limitsArgument,
    taken: [
      ["100", [100]],
      ["0.5, 1,10", [0.5, 1, 10]],
    ],
    refused: ["", "0,1", ",10", "10,", "1,1", "10,1", "1,101", "0x1,10", "small"],
    sentence: "Expected ascending percentages up to 100",
  },
  names: {
    parse: namesArgument,
    taken: [["liver, tumour", ["liver", "tumour"]]],
    refused: ["", " ", "liver,", "liver,liver", ",liver"],
    sentence: "Expected different names",
  },
  classes: {
    parse: classesArgument,
    taken: [
      ["2", ["class 0", "class 1"]],
      ["background,polyp", ["background", "polyp"]],
    ],
    refused: ["1", "0", "-3", "2.5", "256", "1e9", "polyp"],
    sentence: "Expected 2 to 255 classes with the background: a number, or names by label.",
  },
  "a triple": {
    parse: tripleArgument,
    taken: [["0, .5,1", [0, 0.5, 1]]],
    refused: ["", "0", "0,0", "0,0,0,0", "0,0,", "0,0,1.1", "-0.1,0,0", "120,0,0", "0,0,0x1"],
    sentence: "Expected three numbers from 0 to 1",
  },
  "a deviation": {
    parse: deviationArgument,
    taken: [["1,0.5,0.25", [1, 0.5, 0.25]]],
    refused: ["1,0,1"],
    sentence: "Expected numbers above 0",
  },
};

describe.each(Object.entries(CASES))("%s", (_, { parse, taken, refused, sentence }) => {
  test.each(taken)("takes %j", (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  test.each(refused)("refuses %j", (text) => {
    expect(() => parse(text)).toThrow(InvalidArgumentError);
    expect(() => parse(text)).toThrow(sentence);
  });
});

test("a decimal number has one spelling", () => {
  expect(["-0.5", "3.", "1E-3", "+2"].map(decimal)).toEqual([-0.5, 3, 0.001, 2]);
  expect(NO_NUMBERS.map(decimal)).toEqual(NO_NUMBERS.map(() => undefined));
});

describe("some of a few words", () => {
  const parse = someOf(["png", "coco", "rois"]);

  test("come as a list, or one option after the other, each once", () => {
    expect(parse("coco")).toEqual(["coco"]);
    expect(parse("rois, coco,rois", parse("coco"))).toEqual(["coco", "rois"]);
  });

  test.each(["", "coco,", "qupath", "PNG", "coco;png"])("%j is refused with the words there are", (text) => {
    expect(() => parse(text)).toThrow(InvalidArgumentError);
    expect(() => parse(text)).toThrow("Expected some of png, coco, rois in a comma-separated list.");
  });
});

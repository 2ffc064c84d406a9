import { expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { classHead } from "../../../src/model/definition.ts";
import { classifier } from "../../../src/model/layers/convolution.ts";
import type { OwnConfig } from "../../../src/model/nets/own.ts";
import { checked, fitted, type NetworkConfig, traceNetwork } from "../../../src/model/zoo.ts";

const config: OwnConfig = {
  kind: "own",
  classes: 3,
  height: 9,
  width: 13,
  multiple: 4,
  outputs: (build, image) => [classHead("head", classifier(build, "head", image, 3))],
};

test("a network of one's own sees whole multiples and answers at the image's size", () => {
  let seen: readonly number[] = [];
  const watched = {
    ...config,
    outputs: (...[build, image]: Parameters<OwnConfig["outputs"]>) => {
      seen = image.shape;
      return config.outputs(build, image);
    },
  };
  const { logits, build } = traceNetwork(watched, { mode: "train", batch: 2 });
  expect(seen).toEqual([2, 12, 16, 3]);
  expect(logits.shape).toEqual([2, 9, 13, 3]);
  expect(build.parameters.list().map(({ name }) => name)).toEqual(["head.weight", "head.bias"]);
});

test("a network of one's own that went through a file is refused, as are a width and a broken multiple", () => {
  const stored = JSON.parse(JSON.stringify(config)) as NetworkConfig;
  expect(() => checked(stored)).toThrow(/made of functions, which no file holds/);
  expect(() => fitted(config, { classes: 3, height: 9, width: 13, base: 8 })).toThrow(UsageError);
  expect(() => checked({ ...config, multiple: 0 })).toThrow("multiple is 0");
});

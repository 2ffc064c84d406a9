import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead } from "../definition.ts";
import { type Dilated, resnet } from "../encoders/resnet.ts";
import { classifier, convolution } from "../layers/convolution.ts";
import type { Head } from "../supervision.ts";

/** What the networks on a ResNet of 1/8 share: their encoder, and a second classifier that only training reads. */
export interface DilatedConfig extends CommonConfig {
  /** Planes of the first encoder stage. */
  readonly base: number;
  readonly blocks: readonly number[];
  /** Weight of the loss on the classifier behind the third stage; 0 leaves the classifier out. */
  readonly auxiliary: number;
}

/** 3x3 to `outer` channels, `dropped`, 1x1 to the classes. */
export function segmentHead(build: Build, name: string, x: Value, { outer, classes, dropped }: SegmentHead): Value {
  return build.scope(name, () => {
    const y = convolution(build, "mix", x, { outer, kernel: 3, activation: "relu" });
    return classifier(build, "classify", dropped ? dropped(y) : y, classes);
  });
}

interface SegmentHead {
  readonly outer: number;
  readonly classes: number;
  readonly dropped?: (x: Value) => Value;
}

/**
 * The outputs of a network on a dilated ResNet: `main` of the last stage, and the auxiliary classifier's, both `raised` to
 * the image's size.
 */
export function dilatedHeads(
  build: Build,
  { kind, base, blocks, classes, auxiliary }: DilatedConfig,
  image: Value,
  parts: {
    readonly dilated: Dilated;
    readonly main: (last: Value) => Value;
    readonly raised: (x: Value, height: number, width: number) => Value;
    readonly dropped: (x: Value) => Value;
  },
): Head[] {
  const { h, w } = nhwc(kind, "image", image.shape);
  const { dilated, main, raised, dropped } = parts;
  const [, , , , third = image, last = image] = resnet(build, image, base, blocks, dilated);
  const heads = [classHead("head", raised(main(last), h, w))];
  if (auxiliary === 0) return heads;
  const aside = segmentHead(build, "aux", third, { outer: lastOf(third.shape) / 4, classes, dropped });
  return [...heads, classHead("aux", raised(aside, h, w), auxiliary)];
}

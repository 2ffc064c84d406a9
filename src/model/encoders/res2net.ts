import { sliceLast } from "../../kernels/ops/layout.ts";
import { averagePool2d } from "../../kernels/ops/pool/average-pool.ts";
import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";
import { activated } from "../layers/activation.ts";
import { joined, sum } from "../layers/combine.ts";
import { convolution, convolutions } from "../layers/convolution.ts";
import { pooledStem } from "../layers/pool.ts";
import { resnet, stages } from "./resnet.ts";

const SCALE = 4;

/** Channels of each of the four groups of a block: 26 where a ResNet has 64. */
const groupWidth = (planes: number): number => Math.floor((planes * 26) / 64);

interface BlockOptions {
  readonly planes: number;
  readonly stride: number;
  /** The first block of a stage: every group goes its own way, and the shortcut is projected. */
  readonly first: boolean;
}

/** 1x1, then three 3x3 on a quarter of the channels each, every one adding the result before it to its own; 1x1. */
function block(build: Build, x: Value, { planes, stride, first }: BlockOptions): Value {
  const { graph } = build;
  const width = groupWidth(planes);
  const relu = { activation: "relu", start: "he-out" } as const;
  const reduced = convolution(build, "reduce", x, { outer: SCALE * width, ...relu });
  const group = (i: number) => graph.apply(sliceLast, { x: reduced }, { start: i * width, count: width });
  const parts: Value[] = [];
  for (let i = 0; i < SCALE - 1; i++) {
    const before = parts[i - 1];
    const given = first || !before ? group(i) : sum(build, before, group(i));
    parts.push(convolution(build, `part.${i}`, given, { outer: width, kernel: 3, stride, ...relu }));
  }
  const rest = group(SCALE - 1);
  const window = { kernel: 3, stride, padding: 1, ceil: false, countPadding: true };
  const last = first ? graph.apply(averagePool2d, { x: rest }, window) : rest;
  const expanded = convolution(build, "expand", joined(build, ...parts, last), { outer: 4 * planes, start: "he-out" });
  const kept = first ? shortcut(build, x, 4 * planes, stride) : x;
  return activated(build, sum(build, expanded, kept), "relu");
}

function shortcut(build: Build, x: Value, outer: number, stride: number): Value {
  const window = { kernel: stride, stride, padding: 0, ceil: true, countPadding: false };
  // A window of one pixel changes nothing, but it is a layer that the profiler's rule counts.
  const pooled = build.graph.apply(averagePool2d, { x }, window);
  return convolution(build, "skip", pooled, { outer, start: "he-out" });
}

/** Res2Net v1b with a stem of three 3x3 and average-pooled shortcuts; outputs as those of {@link resnet}. */
function res2net(build: Build, image: Value, width: number, blocks: readonly number[]): Value[] {
  return build.scope("encoder", () => {
    const half = width / 2;
    const relu = { kernel: 3, activation: "relu", start: "he-out" } as const;
    const stem = convolutions(build, "stem", image, [
      { outer: half, stride: 2, ...relu },
      { outer: half, ...relu },
      { outer: width, ...relu },
    ]);
    const pooled = pooledStem(build, stem);
    const features = stages(pooled, blocks, (x, { stage, index, stride }) =>
      build.scope(`stage.${stage}.${index}`, () =>
        block(build, x, { planes: width * 2 ** stage, stride, first: index === 0 }),
      ),
    );
    return [stem, pooled, ...features];
  });
}

/** The encoders of the polyp networks. */
export interface BackboneSettings {
  readonly encoder: "res2net" | "resnet";
  /** Planes of the first stage. */
  readonly base: number;
  readonly blocks: readonly number[];
}

export function backbone(build: Build, { encoder, base, blocks }: BackboneSettings, image: Value): Value[] {
  return encoder === "res2net" ? res2net(build, image, base, blocks) : resnet(build, image, base, blocks);
}

/** Sentence-worthy bounds: the stem halves the planes, and every group needs a channel. */
export const MIN_BASE = 4;

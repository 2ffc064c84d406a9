import { ShapeError } from "../../errors.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf, nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { classHead, type NetworkDefinition, type NetworkOutput } from "../definition.ts";
import { joined, sum } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { resizedToCorners } from "../layers/resize.ts";
import { aspp } from "./aspp.ts";
import { checked, ENCODERS, type SvanetConfig, scaled } from "./config.ts";
import { encoder } from "./encoder.ts";
import { guide } from "./guide.ts";
import { link } from "./link.ts";
import { neck } from "./neck.ts";
import { bare, type Tap } from "./style.ts";

const BRANCHES = 4;

/**
 * SvANet on an image `[n, h, w, channels]`, in its literal form. Its intermediates are encoder.0-4, aspp, neck.b, guide.s-t and
 * link.b, and inside them neck.b.bottleneck and link.b.joint, in front of the AssemFormer, and guide.s-t.ungated, in front of SvAttn.
 */
function svanet(build: Build, config: SvanetConfig, image: Value): NetworkOutput {
  const { h: height, w: width } = nhwc("svanet", "image", image.shape);
  if (height % 32 !== 0 || width % 32 !== 0) {
    throw new ShapeError(`svanet: the image is ${height}x${width}; both sides must be multiples of 32`);
  }
  const intermediates = new Map<string, Value>();
  const tap = (name: string, value: Value): Value => {
    intermediates.set(name, value);
    return value;
  };
  const features = encoder(build, config, image).map((x, i) => tap(`encoder.${i}`, x));
  const deepest = features[BRANCHES] ?? image;
  const context = tap("aspp", aspp(build, config, deepest));
  let branches = features.slice(0, BRANCHES).map((x, b) => tap(`neck.${b}`, neck(build, config, b, x, tap)));
  if (config.guidance) branches = guided(build, config, branches, { height, width }, tap);
  if (config.link !== "none") branches = linked(build, config, branches, deepest, tap);
  const logits = classify(build, config, [...branches, context], { height, width });
  return { logits, heads: [classHead("classifier", logits)], intermediates };
}

export const svanetDefinition: NetworkDefinition<SvanetConfig> = {
  trace: svanet,
  checked,
  scaled,
  levels: ({ encoder: name }) => [
    ["encoder.stem"],
    ...ENCODERS[name].depths.map((_, stage) => [`encoder.stages.${stage}`]),
  ],
};

interface Size {
  readonly height: number;
  readonly width: number;
}

/** Adds to each branch what the finer ones send; finer ones come first, so a branch passes on what it got. */
function guided(build: Build, config: SvanetConfig, branches: readonly Value[], size: Size, tap: Tap): Value[] {
  const out = [...branches];
  for (const [source] of branches.entries()) {
    for (let target = source + 1; target < branches.length; target++) {
      const [from, to] = [out[source], out[target]];
      if (!from || !to) continue;
      const sent = guide(build, config, { source, target, outer: lastOf(to.shape), ...size }, from, tap);
      out[target] = sum(build, to, tap(`guide.${source}-${target}`, sent));
    }
  }
  return out;
}

/** The decoder, from the deepest branch up. */
function linked(build: Build, config: SvanetConfig, branches: readonly Value[], deepest: Value, tap: Tap): Value[] {
  const out = [...branches];
  let deeper = deepest;
  for (const [b, branch] of [...branches.entries()].reverse()) {
    const step = link(build, config, b, { deeper, branch }, tap);
    out[b] = tap(`link.${b}`, step.branch);
    deeper = step.deeper;
  }
  return out;
}

/** Everything at the size of the finest branch, concatenated, classified by one 1x1, resized to the image. */
function classify(build: Build, config: SvanetConfig, maps: readonly Value[], { height, width }: Size): Value {
  const [first = maps[0]] = maps;
  if (!first) throw new ShapeError("svanet: nothing to classify");
  const { h, w } = nhwc("svanet", "branch", first.shape);
  const alike = joined(build, ...maps.map((x) => resizedToCorners(build, x, h, w)));
  const scores = convolution(build, "classifier", alike, { outer: config.classes, ...bare() });
  return resizedToCorners(build, scores, height, width);
}

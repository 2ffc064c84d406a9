import { ShapeError } from "../../../errors.ts";
import { allWide, elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import { FREE, perOutput } from "../../trace/cost.ts";
import { type Dispatch, defineOp, FIRST_ORDER, type LowerCall, NO_MACS, type Value } from "../../trace/op.ts";
import { nhwc, type Shape, sameShape } from "../../trace/shape.ts";
import {
  gradientSumsOf,
  momentsOfElement,
  normalised,
  type SampleNorm,
  sampleChunks,
  sampleNormDerivative,
} from "./sample-norm.ts";

export interface GroupNormAttrs {
  /** Of neighbouring channels, all equally many. */
  readonly groups: number;
  readonly eps: number;
}

/** Extents as kernels count them: `columns` and `width` (channels of a group) in fours where both allow it. */
function extentsOf(x: Value, { groups }: GroupNormAttrs) {
  const { n, h, w, c } = nhwc("groupNorm", "x", x.shape);
  const wide = allWide(x) && (c / groups) % 4 === 0;
  const unit = wide ? 4 : 1;
  return { samples: n, pixels: h * w, channels: c, columns: c / unit, width: c / groups / unit, groups, wide };
}

/** Statistics are `[n, groups, 2]`: mean and reciprocal deviation of each group. */
function normOf(label: string, x: Value, statistics: Value, target: Target, attrs: GroupNormAttrs): SampleNorm {
  const { samples, pixels, channels, width, groups, wide } = extentsOf(x, attrs);
  return {
    ...{ label, target, samples, pixels, channels, wide, statistics, wideStatistics: false },
    moments: `  let place = 2u * (sample * args.groups + column / args.width);
  let centre = T(statistics_at(place));
  let rate = T(statistics_at(place + 1u));`,
    sizes: { groups, width },
    floats: {},
  };
}

/** Mean and squared deviations of each chunk, joined by Chan's formula into mean and reciprocal deviation `[n, groups, 2]`. */
function statisticsOf(
  x: Value,
  statistics: Value,
  { target, scratch, attrs }: Pick<LowerCall<string, GroupNormAttrs>, "target" | "scratch" | "attrs">,
): Dispatch[] {
  const { samples, pixels, channels, groups } = extentsOf(x, attrs);
  const { chunks, base, rest } = sampleChunks(pixels, samples * groups, target);
  const partials = scratch([samples, chunks, groups, 2]);
  const sizes = { groups, chunks, base, rest, width: channels / groups };
  return [
    perInvocation({
      label: "groupNorm statistics",
      target,
      count: samples * chunks * groups,
      type: "f32",
      tensors: { x: read(x), partials: write(partials) },
      sizes: { ...sizes, channels, pixels },
      body: `  let own = (i % args.groups) * args.width;
  let chunk = (i / args.groups) % args.chunks;
  let sample = i / (args.groups * args.chunks);
  let rows = args.base + select(0u, 1u, chunk < args.rest);
  var mean = 0.0;
  var squares = 0.0;
  for (var turn = 0u; turn < rows; turn++) {
    let pixel = sample * args.pixels + chunk + turn * args.chunks;
    for (var c = 0u; c < args.width; c++) {
      let number = turn * args.width + c;
      let apart = x_at(pixel * args.channels + own + c) - mean;
      let share = 1.0 / f32(number + 1u);
      mean += apart * share;
      squares += apart * apart * (f32(number) * share);
    }
  }
  partials_set(2u * i, mean);
  partials_set(2u * i + 1u, squares);`,
    }),
    perInvocation({
      label: "groupNorm statistics join",
      target,
      count: samples * groups,
      type: "f32",
      tensors: { partials: read(partials), statistics: write(statistics) },
      sizes,
      floats: { eps: attrs.eps },
      body: `  let first = (i / args.groups) * args.chunks * args.groups + i % args.groups;
  var mean = 0.0;
  var squares = 0.0;
  var count = 0.0;
  for (var chunk = 0u; chunk < args.chunks; chunk++) {
    let at = 2u * (first + chunk * args.groups);
    let more = f32((args.base + select(0u, 1u, chunk < args.rest)) * args.width);
    let apart = partials_at(at) - mean;
    let share = more / (count + more);
    mean += apart * share;
    squares += partials_at(at + 1u) + apart * apart * (count * share);
    count += more;
  }
  statistics_set(2u * i, mean);
  statistics_set(2u * i + 1u, 1.0 / sqrt(squares / count + args.eps));`,
    }),
  ];
}

function normShape({ x, weight, bias }: { readonly [P in "x" | "weight" | "bias"]: Shape }, groups: number): Shape {
  const { c } = nhwc("groupNorm", "x", x);
  if (!sameShape(weight, [c]) || !sameShape(bias, [c]) || !(groups >= 1) || c % groups !== 0) {
    throw new ShapeError(
      `groupNorm: x [${x}] does not fit ${groups} groups, weight [${weight}] and bias [${bias}]: ` +
        `the groups must divide the channels, of which weight and bias have one number each`,
    );
  }
  return x;
}

const sumsShape = ({ x: [n = 1, , , c = 1] }: { readonly x: Shape }): Shape => [n, c];

/** `[n, c]` sums over the pixels of `grad`, and as extra of `grad` times normalised `x`. */
const groupNormSums = defineOp<GroupNormAttrs>()({
  name: "groupNormSums",
  inputs: ["grad", "x", "statistics"],
  shape: sumsShape,
  extra: (shapes) => [sumsShape(shapes)],
  lower({ inputs: { grad, x, statistics }, out, extra: [scaled = out], attrs, target, scratch }) {
    const norm = normOf("groupNormSums", x, statistics, target, attrs);
    return gradientSumsOf(norm, { grad, x, outs: [out, scaled], scratch });
  },
  macs: NO_MACS,
  cost: FREE,
  half: "reads",
  derivative: FIRST_ORDER,
});

const groupNormGrad = defineOp<GroupNormAttrs>()({
  name: "groupNormGrad",
  inputs: ["grad", "x", "statistics", "weight", "plain", "scaled"],
  shape: ({ x }) => x,
  lower({ inputs: { grad, x, statistics, weight, plain, scaled }, out, attrs, target, scratch }) {
    const { samples, pixels, channels, columns, width, groups, wide } = extentsOf(x, attrs);
    const norm = normOf("groupNormGrad", x, statistics, target, attrs);
    const joint = scratch([samples, groups, 2]);
    return [
      perInvocation({
        label: "groupNormGrad means",
        target,
        count: samples * groups,
        type: "f32",
        tensors: { weight: read(weight), plain: read(plain), scaled: read(scaled), joint: write(joint) },
        sizes: { channels, groups, width: channels / groups },
        floats: { share: groups / (pixels * channels) },
        body: `  let first = (i % args.groups) * args.width;
  var middle = 0.0;
  var slope = 0.0;
  for (var c = first; c < first + args.width; c++) {
    middle += weight_at(c) * plain_at((i / args.groups) * args.channels + c);
    slope += weight_at(c) * scaled_at((i / args.groups) * args.channels + c);
  }
  joint_set(2u * i, middle * args.share);
  joint_set(2u * i + 1u, slope * args.share);`,
      }),
      elementwise({
        label: "groupNormGrad",
        target,
        out,
        wide,
        tensors: {
          grad: read(grad, wide),
          x: read(x, wide),
          statistics: read(statistics),
          weight: read(weight, wide),
          joint: read(joint),
        },
        sizes: { columns, pixels, groups, width },
        body: `${momentsOfElement(norm)}
  let normal = (x_at(i) - centre) * rate;
  return rate * (weight_at(column) * grad_at(i) - joint_at(place) - normal * joint_at(place + 1u));`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/**
 * Normalises each group of neighbouring channels of each sample of `x [n, h, w, c]` over its pixels and channels (biased
 * variance), then `weight` and `bias` `[c]`. The same in training and evaluation, and whatever the batch. The extra
 * output `[n, groups, 2]` holds mean and reciprocal deviation.
 */
export const groupNorm = defineOp<GroupNormAttrs>()({
  name: "groupNorm",
  inputs: ["x", "weight", "bias"],
  shape: (shapes, { groups }) => normShape(shapes, groups),
  extra: ({ x: [n = 1] }, { groups }) => [[n, groups, 2]],
  lower({ inputs: { x, weight, bias }, out, extra: [statistics = out], attrs, target, scratch }) {
    const norm = normOf("groupNorm", x, statistics, target, attrs);
    return [...statisticsOf(x, statistics, { target, scratch, attrs }), normalised(norm, { x, weight, bias, out })];
  },
  macs: NO_MACS,
  cost: { macs: "none", profiled: perOutput(4, "always") },
  half: "computes",
  derivative: sampleNormDerivative(groupNormSums, groupNormGrad),
});

import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { elementwise, perInvocation, read, write } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { type Dispatch, defineOp, type LowerCall, NO_MACS, type Value } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";
import { COUNTED, LOG_SUM, pixelShape, unsigned } from "./text.ts";

interface HardLabelsAttrs {
  /** Pixels whose label is less probable than this are hard. */
  readonly threshold: number;
  /** As many pixels of the whole batch are hard at least, the least probable ones, where so many count. */
  readonly kept: number;
  readonly ignoreIndex: number;
}

type Call = LowerCall<"logits" | "label", HardLabelsAttrs>;

/** The probability given to a pixel that does not count: above all others. */
const NEVER = "2.0";

/** Bits of a float that a round of the search settles, highest first. */
const DIGIT = 4;
const BINS = 2 ** DIGIT;
const FOURS = [0, 4, 8, 12] as const;
/** Bins of the first round that hold probabilities; {@link NEVER} is in the one behind. */
const FIRST_BINS = "bins_at(0u) + bins_at(1u) + bins_at(2u) + bins_at(3u)";

/** Each pixel's probability of its label; 0 where that is no number, so that the loss sees it and is none either. */
function labelProbability({ inputs: { logits, label }, attrs, target }: Call, out: Value): Dispatch {
  return perInvocation({
    label: "hardLabels probability",
    target,
    count: sizeOf(label.shape),
    type: "f32",
    tensors: { logits: read(logits), label: read(label), out: write(out) },
    sizes: { classes: lastOf(logits.shape), ignore: unsigned(attrs.ignoreIndex) },
    functions: `${LOG_SUM}\n${COUNTED}`,
    body: `  let truth = label_at(i);
  if (!counted(truth)) { out_set(i, ${NEVER}); return; }
  let v = logits_at(i * args.classes + u32(truth)) - log_sum(i);
  let finite = (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
  out_set(i, select(0.0, min(exp(v), 1.0), finite));`,
  });
}

/**
 * The probability of a rank, 0 being the least probable: bit by bit, by counting. Floats from 0 up are ordered as their
 * bits are, and counts add up to the same in any order. The result `[2]` holds its bits first.
 */
function ranked(call: Call, probabilities: Value): { readonly found: Value; readonly dispatches: Dispatch[] } {
  const dispatches: Dispatch[] = [];
  let found: Value | undefined;
  for (let shift = 32 - DIGIT; shift >= 0; shift -= DIGIT) {
    const bins = call.scratch([BINS], "u32");
    const next = call.scratch([2], "u32");
    dispatches.push(...tally(call, { probabilities, found, bins, shift }), descend(call, { found, bins, next }));
    found = next;
  }
  if (!found) throw new Error("a float has no bits");
  return { found, dispatches };
}

interface Round {
  /** Bits settled so far, and the rank among the probabilities that begin with them; none before the first round. */
  readonly found: Value | undefined;
  /** Probabilities that go on with each value of the next bits. */
  readonly bins: Value;
}

function tally(
  { target, scratch }: Call,
  { probabilities, found, bins, shift }: Round & { readonly probabilities: Value; readonly shift: number },
): Dispatch[] {
  const label = "hardLabels tally";
  const { chunks, base, rest } = chunksOf(sizeOf(probabilities.shape), 1, target, target.software ? 256 : 65536);
  const partials = scratch([chunks, BINS], "u32");
  const four = (each: (first: number) => string) => FOURS.map(each).join("\n");
  const numbers = (first: number) => [0, 1, 2, 3].map((j) => `${first + j}u`).join(", ");
  return [
    perInvocation({
      label,
      target,
      count: chunks,
      type: "u32",
      tensors: {
        probabilities: read(probabilities),
        ...(found ? { found: read(found) } : {}),
        partials: write(partials),
      },
      sizes: { base, rest, shift },
      body: `  let rows = args.base + select(0u, 1u, i < args.rest);
${four((first) => `  var bins${first} = vec4u(0u);`)}
  for (var turn = 0u; turn < rows; turn++) {
    let bits = bitcast<u32>(probabilities_at(i + turn * args.count)) >> args.shift;
    ${found ? `if ((bits >> ${DIGIT}u) != found_at(0u)) { continue; }` : ""}
    let digit = vec4u(bits & ${BINS - 1}u);
${four((first) => `    bins${first} += select(vec4u(0u), vec4u(1u), digit == vec4u(${numbers(first)}));`)}
  }
  for (var j = 0u; j < 4u; j++) {
${four((first) => `    partials_set(i * ${BINS}u + ${first}u + j, bins${first}[j]);`)}
  }`,
    }),
    ...foldSums({ label, target, scratch, partials, parts: chunks, outer: 1, columns: BINS, outs: [bins] }),
  ];
}

/** Goes into the bin that holds the rank. The first round's is `kept`, or the last of the pixels that count. */
function descend({ target, attrs }: Call, { found, bins, next }: Round & { readonly next: Value }): Dispatch {
  return perInvocation({
    label: "hardLabels descend",
    target,
    count: 1,
    type: "u32",
    tensors: { bins: read(bins), ...(found ? { found: read(found) } : {}), next: write(next) },
    sizes: { kept: attrs.kept },
    body: `  var rank = ${found ? "found_at(1u)" : `min(args.kept, max(${FIRST_BINS}, 1u) - 1u)`};
  var digit = 0u;
  while (digit < ${BINS - 1}u && rank >= bins_at(digit)) {
    rank -= bins_at(digit);
    digit++;
  }
  next_set(0u, (${found ? "found_at(0u)" : "0u"} << ${DIGIT}u) | digit);
  next_set(1u, rank);`,
  });
}

/**
 * Labels `[..]` of `logits` `[.., classes]` with `ignoreIndex` in place of those of easy pixels, for a loss to look at the
 * hard ones (OHEM). Hard are pixels whose probability of the label is below the larger one of the threshold and the
 * probability of rank `kept` (from 0) among those that count: HRNet's rule. The choice itself has no derivative.
 */
export const hardLabels = defineOp<HardLabelsAttrs>()({
  name: "hardLabels",
  inputs: ["logits", "label"],
  shape: ({ logits, label }) => pixelShape("hardLabels", logits, label),
  dtype: "i32",
  lower(call) {
    const { inputs, out, attrs, target, scratch } = call;
    const probabilities = scratch(inputs.label.shape);
    const { found, dispatches } = ranked(call, probabilities);
    return [
      labelProbability(call, probabilities),
      ...dispatches,
      elementwise({
        label: "hardLabels",
        target,
        out,
        wide: false,
        tensors: { label: read(inputs.label), probabilities: read(probabilities), found: read(found) },
        sizes: { ignore: unsigned(attrs.ignoreIndex) },
        floats: { threshold: attrs.threshold },
        body: `  let limit = max(bitcast<f32>(found_at(0u)), args.threshold);
  return select(bitcast<i32>(args.ignore), label_at(i), probabilities_at(i) < limit);`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "a choice of pixels does not change smoothly",
});

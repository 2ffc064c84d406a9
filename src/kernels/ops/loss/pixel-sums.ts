import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { perInvocation, read, write } from "../../shader/shader.ts";
import type { Dispatch, LowerCall, Value } from "../../trace/op.ts";
import { lastOf, sizeOf } from "../../trace/shape.ts";
import { COUNTED, LOG_SUM, unsigned } from "./text.ts";

/** The inputs of a loss that is averaged over the pixels that count by the weights of their labels' classes. */
export type WeightedPixels = "logits" | "label" | "weight";

interface PixelSums {
  readonly name: string;
  readonly sums: Value;
  readonly lse: Value;
  readonly floats: Readonly<Record<string, number>>;
  readonly functions?: string;
  /**
   * Statements that add what a pixel that counts contributes to `sum`. They know `pixel`, its label `truth`, that class's weight
   * `own` and `all`, the log of the sum of its exponentials.
   */
  readonly each: string;
}

/** `sums` [2]: of all pixels that count, what `each` adds and their labels' weights. Keeps the log of each pixel's sum of exponentials. */
export function pixelSums(
  call: LowerCall<WeightedPixels, { readonly ignoreIndex: number }>,
  own: PixelSums,
): Dispatch[] {
  const { inputs, attrs, target, scratch } = call;
  const { logits, label, weight } = inputs;
  const { name, sums, lse, floats, functions = "", each } = own;
  const { chunks, base, rest } = chunksOf(sizeOf(label.shape), 1, target, target.software ? 256 : 65536);
  const partials = scratch([chunks, 2]);
  return [
    perInvocation({
      label: name,
      target,
      count: chunks,
      type: "f32",
      tensors: {
        logits: read(logits),
        label: read(label),
        weight: read(weight),
        lse: write(lse),
        partials: write(partials),
      },
      sizes: { classes: lastOf(logits.shape), ignore: unsigned(attrs.ignoreIndex), base, rest },
      floats,
      functions: [LOG_SUM, COUNTED, functions].join("\n").trimEnd(),
      body: `  let pixels = args.base + select(0u, 1u, i < args.rest);
  var sum = 0.0;
  var divisor = 0.0;
  for (var turn = 0u; turn < pixels; turn++) {
    let pixel = i + turn * args.count;
    let all = log_sum(pixel);
    lse_set(pixel, all);
    let truth = label_at(pixel);
    if (counted(truth)) {
      let own = weight_at(u32(truth));
${each}
      divisor += own;
    }
  }
  partials_set(2u * i, sum);
  partials_set(2u * i + 1u, divisor);`,
    }),
    ...foldSums({ label: name, target, scratch, partials, parts: chunks, outer: 1, columns: 2, outs: [sums] }),
  ];
}

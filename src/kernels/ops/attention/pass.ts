import type { Target } from "../../target.ts";
import type { Value } from "../../trace/op.ts";

/**
 * A pass of attention: for every own row (a query, or a key in the last pass) weighted sums over all rows of the other
 * side, whose weights follow from products of the two rows. Forward and gradients are such passes. They are written as
 * data, which each form of the kernel turns into its own text.
 */
export interface PassSpec {
  readonly label: string;
  readonly target: Target;
  readonly lanes: number;
  readonly heads: number;
  readonly tokens: number;
  readonly dim: number;
  /** Row tensors [lanes, tokens, heads * dim] and scalar tensors [lanes, heads, tokens], owned and walked over. */
  readonly own: { readonly [name: string]: Value };
  readonly ownScalars: { readonly [name: string]: Value };
  readonly other: { readonly [name: string]: Value };
  readonly otherScalars: { readonly [name: string]: Value };
  /** The owned tensor that is multiplied by 1/sqrt(dim) as it is read. */
  readonly scaled: string;
  /** Products over the features of a row, by name: which owned row with which other row. */
  readonly products: { readonly [name: string]: readonly [own: string, other: string] };
  readonly weights: Weights;
  readonly sums: { readonly [out: string]: WeightedSum };
  /** Takes the logarithm of the sum of exponentials [lanes, heads, tokens] where the weights are a softmax. */
  readonly logSum?: Value;
}

/**
 * "softmax": `p`, the exponentials of the product `s`, divided by their sum in the end. Otherwise the text of each
 * weight, in order; `at` is the text of a product, a scalar or an earlier weight of the pair of rows at hand.
 */
type Weights = "softmax" | { readonly [weight: string]: (at: (name: string) => string) => string };

interface WeightedSum {
  readonly value: Value;
  readonly weight: string;
  /** The rows of the other side that are added up. */
  readonly rows: string;
  /** Multiplies the sum by 1/sqrt(dim). */
  readonly scaled: boolean;
}

/** What a form of the kernel adds to the frame that all share. */
export interface PassForm {
  readonly enable?: readonly string[];
  readonly workgroup: number;
  /** Own rows of a workgroup. */
  readonly rows: number;
  readonly sizes: { readonly [name: string]: number };
  readonly functions?: string;
  /** Sees `lane_head`, `first` (the workgroup's first own row) and `scalars` (where the scalars of its head begin). */
  readonly main: string;
}

/** Quads of four features in a row. */
export const quadsOf = ({ dim }: PassSpec): number => Math.ceil(dim / 4);

/** Reads quad `d` of an owned row at `base`, scaled where it has to be. */
export const ownQuad = ({ scaled }: PassSpec, name: string, base: string, d: string): string =>
  `${name}_quad(${base}, ${d})${name === scaled ? " * args.scale" : ""}`;

/** What a sum is multiplied by when it is stored; `total` is the text of the softmax's sum. */
export function factorOf({ weights }: PassSpec, { scaled }: WeightedSum, total: string): string {
  return weights === "softmax" ? ` / ${total}` : scaled ? " * args.scale" : "";
}

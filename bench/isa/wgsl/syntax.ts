/**
 * WGSL as trees, as far as the kernels of this project use it. Only control flow and integers matter to whoever reads them
 * (loop turns, places in workgroup memory), so types are skipped and a number with a fraction is null.
 */

export type Expression =
  | { readonly kind: "number"; readonly value: number | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "unary"; readonly operator: string; readonly of: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "call"; readonly name: string; readonly values: readonly Expression[] }
  | { readonly kind: "member"; readonly of: Expression; readonly name: string }
  | { readonly kind: "index"; readonly of: Expression; readonly at: Expression };

export type Block = readonly Statement[];

export type Statement =
  | { readonly kind: "define"; readonly name: string; readonly value: Expression | null }
  | {
      readonly kind: "assign";
      readonly target: Expression;
      /** "+" of "+=", "" of "=". */
      readonly operator: string;
      readonly value: Expression;
    }
  | { readonly kind: "call"; readonly call: Expression }
  | { readonly kind: "if"; readonly test: Expression; readonly then: Block; readonly otherwise: Block }
  | Loop
  | { readonly kind: "switch"; readonly value: Expression; readonly cases: readonly Case[] }
  | { readonly kind: "block"; readonly body: Block }
  | { readonly kind: "return"; readonly value: Expression | null }
  | { readonly kind: "break" }
  | { readonly kind: "continue" };

/** `for`, `while`, and `loop`, which has no test. */
export interface Loop {
  readonly kind: "loop";
  readonly first: Statement | null;
  readonly test: Expression | null;
  readonly step: Statement | null;
  readonly body: Block;
}

export interface Case {
  /** Empty for the default. */
  readonly selectors: readonly Expression[];
  readonly body: Block;
}

export interface Parameter {
  readonly name: string;
  /** `workgroup_id` of `@builtin(workgroup_id)`. */
  readonly builtin: string | null;
}

export interface WgslFunction {
  readonly parameters: readonly Parameter[];
  readonly body: Block;
}

/** An array in workgroup memory. */
export interface SharedArray {
  readonly elementBytes: number;
}

export interface Module {
  readonly functions: ReadonlyMap<string, WgslFunction>;
  readonly shared: ReadonlyMap<string, SharedArray>;
  /** Module constants that were written down as an expression. */
  readonly constants: ReadonlyMap<string, Expression>;
  readonly entry: string;
  readonly workgroupSize: readonly [x: number, y: number, z: number];
}

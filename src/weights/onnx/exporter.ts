import { ShapeError } from "../../errors.ts";
import type { Value } from "../../kernels/trace/op.ts";
import type { Emitter, Exported } from "./emitter.ts";

/** One step to be written. */
export interface ExportCall {
  readonly e: Emitter;
  readonly inputs: { readonly [name: string]: Value };
  readonly attrs: unknown;
  readonly out: Value;
}

export type Exporter = (call: ExportCall) => Exported;

export function input({ inputs }: Pick<ExportCall, "inputs">, name: string): Value {
  const value = inputs[name];
  if (!value) throw new ShapeError(`ONNX: the input ${name} is missing`);
  return value;
}

export const first = (name: string): Exported => ({ name, order: "first" });
export const plain = (name: string): Exported => ({ name, order: "plain" });

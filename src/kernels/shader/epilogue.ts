import type { Dispatch, Epilogue } from "../trace/op.ts";
import { lastOf } from "../trace/shape.ts";
import { ACTIVATIONS, declaredOnce } from "./activation.ts";
import { elementwise, read, type TensorUse } from "./shader.ts";

/** How a kernel's text names what an epilogue begins with, and a place in the output. */
interface EpilogueNames {
  readonly sum: string;
  readonly at: string;
  /** Scale and bias of the channel; left out: `scale_at(c)` and `bias_at(c)`. */
  readonly scale?: string;
  readonly bias?: string;
}

/** What a kernel's text needs for an epilogue. */
export interface EpilogueText {
  readonly tensors: { readonly [name: string]: TensorUse };
  /** Over T. */
  readonly functions: string;
  /** The value to store. */
  readonly finish: string;
}

/** Tensors, functions and the finished value of an {@link Epilogue}. */
export function epilogueText(epilogue: Epilogue, wide: boolean, names: EpilogueNames): EpilogueText {
  const { activation, slope, saved } = epilogue;
  const { sum, at, scale = "scale_at(c)", bias = "bias_at(c)" } = names;
  const tensors: Record<string, TensorUse> = {};
  for (const part of ["scale", "bias", "residual", "saved"] as const) {
    const value = epilogue[part];
    if (value) tensors[part] = read(value, wide);
  }
  const scaled = epilogue.scale ? `${sum} * ${scale}` : sum;
  const total = `${scaled}${epilogue.bias ? ` + ${bias}` : ""}${epilogue.residual ? ` + residual_at(${at})` : ""}`;
  if (activation) return { tensors, functions: ACTIVATIONS[activation].wgsl, finish: `${activation}(${total})` };
  if (!slope || !saved) return { tensors, functions: "", finish: total };
  const functions = declaredOnce([ACTIVATIONS[slope].slope]);
  return { tensors, functions, finish: `(${total}) * ${slope}Slope(saved_at(${at}))` };
}

/**
 * As `elementwise`, and what follows in one instruction: `body` gives what the epilogue begins with. Scale and bias only where
 * four elements that go together are channels of one pixel.
 */
export function elementwiseThen(epilogue: Epilogue, spec: Parameters<typeof elementwise>[0]): Dispatch {
  if (Object.keys(epilogue).length === 0) return elementwise(spec);
  const { wide, out, body, functions = "" } = spec;
  const perChannel = epilogue.scale !== undefined || epilogue.bias !== undefined;
  const tail = epilogueText(epilogue, wide, {
    ...{ sum: "made(i)", at: "i" },
    ...{ scale: "scale_at(i % args.channels)", bias: "bias_at(i % args.channels)" },
  });
  return elementwise({
    ...spec,
    tensors: { ...spec.tensors, ...tail.tensors },
    sizes: { ...spec.sizes, ...(perChannel ? { channels: lastOf(out.shape) / (wide ? 4 : 1) } : {}) },
    functions: `${declaredOnce([functions, tail.functions])}\nfn made(i: u32) -> T {\n${body}\n}`,
    body: `  return ${tail.finish};`,
  });
}

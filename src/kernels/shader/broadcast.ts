import type { Target } from "../target.ts";
import type { Dispatch, Epilogue, Value } from "../trace/op.ts";
import { lastOf, type Shape, sizeOf } from "../trace/shape.ts";
import { elementwiseThen } from "./epilogue.ts";
import { read, type TensorUse } from "./shader.ts";

/** A run of neighbouring axes that are all kept, or all summed away (or spread over). */
export interface AxisRun {
  readonly extent: number;
  readonly kept: boolean;
}

/** Merges neighbouring axes of one kind and drops those of extent 1, so that few index computations remain. */
export function axisRuns(shape: Shape, kept: (axis: number) => boolean): AxisRun[] {
  const runs: AxisRun[] = [];
  for (const [axis, extent] of shape.entries()) {
    if (extent === 1) continue;
    const last = runs[runs.length - 1];
    if (last?.kept === kept(axis)) runs[runs.length - 1] = { extent: last.extent * extent, kept: last.kept };
    else runs.push({ extent, kept: kept(axis) });
  }
  return runs;
}

/** True when `small` has the rank of `large` and each extent is equal or 1. */
export function broadcasts(small: Shape, large: Shape): boolean {
  return small.length === large.length && small.every((extent, axis) => extent === 1 || extent === large[axis]);
}

/** The axes along which `small` is spread over `large`. */
export function spreadAxes(small: Shape, large: Shape): number[] {
  return large.flatMap((extent, axis) => (extent !== 1 && small[axis] === 1 ? [axis] : []));
}

/**
 * A kernel over the elements of `out` that reads `same` tensors (of the shape of `out`) at `i` and `small` ones (all of
 * one shape that broadcasts to it) at their own place. `expression` sees each as its name, of type T.
 */
export function broadcastKernel(spec: {
  readonly label: string;
  readonly target: Target;
  readonly out: Value;
  readonly same: { readonly [name: string]: Value };
  readonly small: { readonly [name: string]: Value };
  readonly floats?: { readonly [name: string]: number };
  readonly expression: string;
  /** Without scale and bias: four elements may belong to several channels. */
  readonly epilogue?: Epilogue;
}): Dispatch {
  const { out, same, small } = spec;
  const smallShape = Object.values(small)[0]?.shape ?? out.shape;
  const runs = axisRuns(out.shape, (axis) => smallShape[axis] === out.shape[axis]);
  const plain = runs.every((run) => run.kept);
  const lastKept = runs[runs.length - 1]?.kept ?? true;
  const wide = (plain ? sizeOf(out.shape) : lastOf(out.shape)) % 4 === 0;
  const tensors: Record<string, TensorUse> = {};
  for (const [name, value] of Object.entries(same)) tensors[name] = read(value, wide);
  for (const [name, value] of Object.entries(small)) tensors[name] = read(value, wide && lastKept);
  const { text, sizes } = plain ? { text: "  let at = i;", sizes: {} } : placeText(runs, wide);
  return elementwiseThen(spec.epilogue ?? {}, {
    label: spec.label,
    target: spec.target,
    out,
    wide,
    tensors,
    sizes,
    ...(spec.floats ? { floats: spec.floats } : {}),
    body: [
      text,
      ...Object.keys(same).map((name) => `  let ${name} = ${name}_at(i);`),
      ...Object.keys(small).map((name) => `  let ${name} = T(${name}_at(at));`),
      `  return ${spec.expression};`,
    ].join("\n"),
  });
}

/** Index arithmetic from element `i` of the large tensor to `at` of the small one; extents are uniforms. */
function placeText(runs: readonly AxisRun[], wide: boolean): { text: string; sizes: Record<string, number> } {
  const sizes: Record<string, number> = {};
  const lines = ["  var rest = i;", "  var at = 0u;"];
  let stride = 1;
  for (let axis = runs.length - 1; axis >= 0; axis--) {
    const { extent = 1, kept = true } = runs[axis] ?? {};
    const units = wide && axis === runs.length - 1 ? extent / 4 : extent;
    if (axis > 0) sizes[`extent${axis}`] = units;
    if (kept) {
      sizes[`stride${axis}`] = stride;
      lines.push(`  at += ${axis > 0 ? `(rest % args.extent${axis})` : "rest"} * args.stride${axis};`);
      stride *= units;
    }
    if (axis > 0) lines.push(`  rest /= args.extent${axis};`);
  }
  return { text: lines.join("\n"), sizes };
}

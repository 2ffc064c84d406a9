import { OutOfMemoryError } from "../../errors.ts";
import { elementwiseThen } from "../shader/epilogue.ts";
import { allWide, bindingCount, byteSize, read } from "../shader/shader.ts";
import type { Target } from "../target.ts";
import { freshValue, type Graph, readsOf, type Step } from "../trace/graph.ts";
import type { Binding, Dispatch, DType, Epilogue, Value } from "../trace/op.ts";
import type { Shape } from "../trace/shape.ts";

/** A dispatch with the place in the network it came from. */
export interface PlacedDispatch extends Dispatch {
  readonly path: string;
  /** Multiply-accumulates of the step, counted on its first dispatch. */
  readonly macs: number;
  /** As {@link Op.settles}. */
  readonly settles?: "always" | undefined;
}

/** Turns every step of a trace into dispatches for an adapter; views vanish into the tensors they share. */
export function lower(graph: Graph, target: Target): PlacedDispatch[] {
  const own = { ...target, evaluates: graph.evaluates };
  return graph.steps.flatMap((step) => lowerStep(graph, step, own));
}

function lowerStep(graph: Graph, step: Step, target: Target): PlacedDispatch[] {
  if (step.op.name === "view") return [];
  const [out] = step.outputs;
  // Before its shader is written: that of a tensor in a million parts would be a text of gigabytes.
  for (const value of [...readsOf(step), ...step.outputs]) {
    checkBindings(step.op.name, step.path, [{ value, access: "read" }], target);
  }
  const dispatches = dispatchesOf(step, target);
  const shapes = Object.fromEntries(Object.entries(step.inputs).map(([name, v]) => [name, v.shape]));
  return dispatches.map((dispatch, i) => {
    const bindings = dispatch.bindings.map((b): Binding => ({ access: b.access, value: rootValue(graph, b.value) }));
    checkBindings(dispatch.label, step.path, bindings, target);
    return {
      ...dispatch,
      bindings,
      path: step.path,
      settles: step.op.settles,
      macs: i === 0 ? step.op.macs(shapes, out?.shape ?? [], step.attrs) : 0,
    };
  });
}

/** What of an epilogue has a tensor too many for a kernel's bindings gets a dispatch of its own, as if it were not fused. */
function dispatchesOf(step: Step, target: Target): readonly Dispatch[] {
  const [out = NOTHING, ...extra] = step.outputs;
  const call = { inputs: step.inputs, extra, attrs: step.attrs, target };
  const lowered = (to: Value, epilogue: Epilogue) =>
    step.op.lower({ ...call, out: to, epilogue, scratch: (shape: Shape, dtype?: DType) => freshValue(shape, dtype) });
  const fused = lowered(out, step.epilogue);
  const { scale, bias, ...after } = step.epilogue;
  const fits = fused.every(({ bindings }) => bindingCount(bindings, target) <= target.storageBuffers);
  if (fits || !(after.residual || after.saved)) return fused;
  const before = freshValue(out.shape, out.dtype);
  const wide = allWide(out);
  return [
    ...lowered(before, { ...(scale && { scale }), ...(bias && { bias }) }),
    elementwiseThen(after, {
      ...{ label: `behind ${step.op.name}`, target, out, wide },
      tensors: { before: read(before, wide) },
      body: "  return before_at(i);",
    }),
  ];
}

const gibibytes = (bytes: number): string => `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;

const NOTHING: Value = { id: -1, shape: [0], dtype: "f32" };

function rootValue(graph: Graph, value: Value): Value {
  const id = graph.root(value.id);
  return id === value.id ? value : { ...value, id };
}

function checkBindings(label: string, path: string, bindings: readonly Binding[], target: Target): void {
  if (bindingCount(bindings, target) > target.storageBuffers) {
    const sizes = bindings.map((b) => `[${b.value.shape}]`).join(", ");
    const bytes = bindings.reduce((sum, b) => sum + byteSize(b.value), 0);
    throw new OutOfMemoryError(
      `${path === "" ? label : `${label} in ${path}`} works on ${gibibytes(bytes)} of memory at once, ${sizes}, and ` +
        `a kernel of this GPU takes ${target.storageBuffers} pieces of at most ${gibibytes(target.bindingLimit)}`,
      { advice: "use a smaller --batch-size, --size or --width" },
    );
  }
}

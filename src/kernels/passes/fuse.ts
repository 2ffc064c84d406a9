import { addBias, conv2d, convTranspose2d, linear } from "../ops/contraction/conv.ts";
import { foldNorm } from "../ops/norm/fold-norm.ts";
import { batchNormEval, batchNormTrain } from "../ops/norm/norm.ts";
import { freshValue, type Graph, type Step } from "../trace/graph.ts";
import type { Activation, Epilogue, Value } from "../trace/op.ts";
import { sameShape } from "../trace/shape.ts";

/**
 * Moves what follows a convolution, linear layer or norm into its last instruction before storing: a norm by running
 * statistics, a bias, a residual, an activation. Runs after differentiation: a tensor that backward or the caller
 * (`keep`) still reads has a second use and is left alone, so the same rules serve inference and training.
 */
export function fuse(graph: Graph, keep: readonly Value[]): void {
  const pass = new Fusion(graph, keep);
  for (const step of [...graph.steps]) pass.take(step);
  graph.replaceSteps(pass.done());
}

const CONTRACTIONS = new Set<string>([conv2d.name, convTranspose2d.name, linear.name]);
const NORMS = new Set<string>([batchNormTrain.name, batchNormEval.name]);
const ACTIVATIONS = new Set<string>(["relu", "silu", "gelu", "sigmoid", "hardswish"] satisfies Activation[]);

class Fusion {
  readonly #uses: ReadonlyMap<number, number>;
  /** Steps so far; a step that moved into a later one leaves a gap. */
  readonly #steps: (Step | null)[] = [];
  readonly #maker = new Map<number, number>();

  constructor(graph: Graph, keep: readonly Value[]) {
    this.#uses = countUses(graph, keep);
  }

  take(step: Step): void {
    const fused = this.#norm(step) ?? this.#bias(step) ?? this.#residual(step) ?? this.#activation(step) ?? step;
    for (const output of fused.outputs) this.#maker.set(output.id, this.#steps.length);
    this.#steps.push(fused);
  }

  done(): Step[] {
    return this.#steps.filter((step) => step !== null);
  }

  /** The step that made `value`, when nothing else reads it and it may still grow. */
  #producer(
    value: Value | undefined,
    allowed: ReadonlySet<string>,
  ): { readonly at: number; readonly step: Step } | null {
    if (!value || this.#uses.get(value.id) !== 1) return null;
    const at = this.#maker.get(value.id);
    const step = at === undefined ? null : this.#steps[at];
    if (at === undefined || !step || step.outputs[0]?.id !== value.id || step.epilogue.activation) return null;
    return allowed.has(step.op.name) && !this.#extrasReadSince(at, step) ? { at, step } : null;
  }

  /** Moving a step down past a reader of its further outputs would leave that reader without them. */
  #extrasReadSince(at: number, { outputs }: Step): boolean {
    const extras = new Set(outputs.slice(1).map((v) => v.id));
    if (extras.size === 0) return false;
    return this.#steps.slice(at + 1).some((s) => s && Object.values(s.inputs).some((v) => extras.has(v.id)));
  }

  #grow({ at, step }: { readonly at: number; readonly step: Step }, into: Step, more: Epilogue): Step {
    this.#steps[at] = null;
    const [out] = into.outputs;
    return {
      ...step,
      outputs: out ? [out, ...step.outputs.slice(1)] : step.outputs,
      epilogue: { ...step.epilogue, ...more },
    };
  }

  #norm(step: Step): Step | null {
    if (step.op.name !== batchNormEval.name) return null;
    const { x, weight, bias, mean, variance } = step.inputs;
    const found = this.#producer(x, CONTRACTIONS);
    if (!found || found.step.epilogue.bias || found.step.epilogue.residual || !weight || !bias || !mean || !variance) {
      return null;
    }
    const scale = freshValue(weight.shape);
    const shift = freshValue(weight.shape);
    const inputs = { weight, bias, mean, variance };
    this.#steps.push({ ...step, op: foldNorm, inputs, outputs: [scale, shift], epilogue: {} });
    return this.#grow(found, step, { scale, bias: shift });
  }

  #bias(step: Step): Step | null {
    if (step.op.name !== addBias.name) return null;
    const { x, bias } = step.inputs;
    const found = this.#producer(x, CONTRACTIONS);
    if (!found || found.step.epilogue.bias || !bias) return null;
    return this.#grow(found, step, { bias });
  }

  #residual(step: Step): Step | null {
    const { x, y } = step.inputs;
    if (step.op.name !== "add" || !x || !y || x.id === y.id || !sameShape(x.shape, y.shape)) return null;
    const both = [
      { found: this.#producer(x, GROWING), residual: y },
      { found: this.#producer(y, GROWING), residual: x },
    ];
    const [best] = both
      .filter(({ found }) => found && !found.step.epilogue.residual)
      .sort((a, b) => (b.found?.at ?? 0) - (a.found?.at ?? 0));
    return best?.found ? this.#grow(best.found, step, { residual: best.residual }) : null;
  }

  #activation(step: Step): Step | null {
    if (!ACTIVATIONS.has(step.op.name)) return null;
    const found = this.#producer(step.inputs["x"], GROWING);
    return found ? this.#grow(found, step, { activation: step.op.name as Activation }) : null;
  }
}

/** Gradients by the input of a contraction: a second gradient of the same tensor is added while storing. */
const GRADIENTS = ["conv2dGradX", "convTranspose2dGradX", "linearGradX"] as const;

const GROWING: ReadonlySet<string> = new Set([...CONTRACTIONS, ...NORMS, ...GRADIENTS]);

function countUses(graph: Graph, keep: readonly Value[]): Map<number, number> {
  const uses = new Map<number, number>();
  const use = (value: Value) => uses.set(value.id, (uses.get(value.id) ?? 0) + 1);
  for (const { inputs, epilogue } of graph.steps) {
    for (const value of Object.values(inputs)) use(value);
    for (const value of [epilogue.bias, epilogue.scale, epilogue.residual]) if (value) use(value);
  }
  for (const value of keep) use(value);
  return uses;
}

import { foldNorm } from "../ops/norm/fold-norm.ts";
import { freshValue, type Graph, readsOf, type Step } from "../trace/graph.ts";
import { type Epilogue, isFusedActivation, slopeTaken, type Value } from "../trace/op.ts";
import { sameShape } from "../trace/shape.ts";

/**
 * Moves what follows a step into its last instruction before storing: a norm by running statistics, a bias, a residual,
 * an activation, in a gradient the slope of one. Who takes what (`epilogue`) and who is taken (`fusedAs`) stands in the declarations of the ops. Runs
 * after differentiation: a tensor that backward or the caller (`keep`) still reads has a second use and is left alone, so
 * the same rules serve inference and training.
 */
export function fuse(graph: Graph, keep: readonly Value[]): void {
  const pass = new Fusion(graph, keep);
  for (const step of [...graph.steps]) pass.take(step);
  graph.replaceSteps(pass.done());
}

/** A step that may still grow, and its place among those so far. */
interface Producer {
  readonly at: number;
  readonly step: Step;
}

class Fusion {
  readonly #uses: ReadonlyMap<number, number>;
  /** Steps so far; a step that moved into a later one leaves a gap. */
  readonly #steps: (Step | null)[] = [];
  readonly #maker = new Map<number, number>();

  constructor(graph: Graph, keep: readonly Value[]) {
    this.#uses = countUses(graph, keep);
  }

  take(step: Step): void {
    const fused = this.#fused(step) ?? step;
    for (const output of fused.outputs) this.#maker.set(output.id, this.#steps.length);
    this.#steps.push(fused);
  }

  done(): Step[] {
    return this.#steps.filter((step) => step !== null);
  }

  #fused(step: Step): Step | null {
    switch (step.op.fusedAs) {
      case "norm":
        return this.#norm(step);
      case "bias":
        return this.#bias(step);
      case "residual":
        return this.#residual(step);
      case "activation":
        return this.#activation(step);
      case "slope":
        return this.#slope(step);
      default:
        return null;
    }
  }

  /** The step that made `value`, when nothing else reads it and it takes all of `parts`. */
  #producer(value: Value | undefined, parts: readonly (keyof Epilogue)[]): Producer | null {
    if (!value || this.#uses.get(value.id) !== 1) return null;
    const at = this.#maker.get(value.id);
    const step = at === undefined ? null : this.#steps[at];
    if (at === undefined || !step || step.outputs[0]?.id !== value.id || isEnded(step)) return null;
    const takes = parts.every((part) => step.op.epilogue?.includes(part) && !step.epilogue[part]);
    return takes && !this.#extrasReadSince(at, step) ? { at, step } : null;
  }

  /** Moving a step down past a reader of its further outputs would leave that reader without them. */
  #extrasReadSince(at: number, { outputs }: Step): boolean {
    const extras = new Set(outputs.slice(1).map((v) => v.id));
    if (extras.size === 0) return false;
    return this.#steps.slice(at + 1).some((s) => s && Object.values(s.inputs).some((v) => extras.has(v.id)));
  }

  #grow({ at, step }: Producer, into: Step, more: Epilogue): Step {
    this.#steps[at] = null;
    const [out] = into.outputs;
    return {
      ...step,
      outputs: out ? [out, ...step.outputs.slice(1)] : step.outputs,
      epilogue: { ...step.epilogue, ...more },
    };
  }

  #norm(step: Step): Step | null {
    const { x, weight, bias, mean, variance } = step.inputs;
    const found = this.#producer(x, ["scale", "bias"]);
    if (!found || found.step.epilogue.residual || !weight || !bias || !mean || !variance) return null;
    const scale = freshValue(weight.shape);
    const shift = freshValue(weight.shape);
    const inputs = { weight, bias, mean, variance };
    this.#steps.push({ ...step, op: foldNorm, inputs, outputs: [scale, shift], epilogue: {} });
    return this.#grow(found, step, { scale, bias: shift });
  }

  /** Behind a residual too: sums commute. */
  #bias(step: Step): Step | null {
    const { x, bias } = step.inputs;
    const found = this.#producer(x, ["bias"]);
    return found && bias ? this.#grow(found, step, { bias }) : null;
  }

  /** Of two summands that could take the other, the later one does: then both are there. */
  #residual(step: Step): Step | null {
    const { x, y } = step.inputs;
    if (!x || !y || x.id === y.id || !sameShape(x.shape, y.shape)) return null;
    const both = [
      { found: this.#producer(x, ["residual"]), residual: y },
      { found: this.#producer(y, ["residual"]), residual: x },
    ];
    const [best] = both.filter(({ found }) => found).sort((a, b) => (b.found?.at ?? 0) - (a.found?.at ?? 0));
    return best?.found ? this.#grow(best.found, step, { residual: best.residual }) : null;
  }

  #activation(step: Step): Step | null {
    const { name } = step.op;
    const found = this.#producer(step.inputs["x"], ["activation"]);
    return found && isFusedActivation(name) ? this.#grow(found, step, { activation: name }) : null;
  }

  #slope(step: Step): Step | null {
    const { grad, saved } = step.inputs;
    const slope = slopeTaken(step.op.name);
    const found = this.#producer(grad, ["slope"]);
    return found && slope && saved ? this.#grow(found, step, { slope, saved }) : null;
  }
}

/** Whether what an epilogue ends with is there: nothing goes behind it. */
const isEnded = ({ epilogue: { activation, slope } }: Step): boolean => Boolean(activation || slope);

function countUses(graph: Graph, keep: readonly Value[]): Map<number, number> {
  const uses = new Map<number, number>();
  const use = (value: Value) => uses.set(value.id, (uses.get(value.id) ?? 0) + 1);
  for (const step of graph.steps) for (const value of readsOf(step)) use(value);
  for (const value of keep) use(value);
  return uses;
}

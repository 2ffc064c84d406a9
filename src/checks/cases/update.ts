import { judgeScaledStep, judgeStep, scaledSeed, squaredNorm } from "../../kernels/ops/update/judge.ts";
import { accumulate, adamW, prepareAdamW, sgd, tick } from "../../kernels/ops/update/update.ts";
import { checkOf } from "../check.ts";
import { bitsOf, changed, floatOf, given, noise } from "../draw.ts";
import { at, type Elements, type Numbers, type Tensor, together } from "../tensor.ts";

/** Updates round a few times an element, and no more. */
const CLOSE = 1e-6;

/** Elements by fours, and one to three too many for that. */
const LENGTHS = [8, 7, 1021];

/** `control` of a step that counts and whose gradients are multiplied by `factor`, or of one that is skipped. */
const control = (skipped: boolean, factor = 1) =>
  given([4], (i) => [skipped ? 1 : 0, 3, skipped ? 0 : bitsOf(factor), 0][i] ?? 0, "u32");

const isSkipped = ({ data }: Tensor): boolean => at(data, 0) !== 0;
const factorOf = ({ data }: Tensor): number => floatOf(at(data, 2));

const vector = (values: Numbers): Elements => ({ shape: [values.length], at: (i) => at(values, i) });

/** Steps that count and one that does not, of gradients that are no numbers then. */
const STEPS = LENGTHS.flatMap((c) => [
  { c, skipped: false, gradient: noise([c]) },
  ...(c === 7 ? [{ c, skipped: true, gradient: given([c], () => Number.NaN) }] : []),
]);

/** A skipped step leaves everything as it is, bit for bit. */
const SKIPPED = { about: "skipped", tolerance: 0 };

/** One AdamW step of PyTorch on one element, given what `prepareAdamW` makes of the rate and the number of the step. */
export function adamWStep(
  before: { readonly parameter: number; readonly first: number; readonly second: number },
  gradient: number,
  hyper: Numbers,
  { beta1, beta2, eps }: { readonly beta1: number; readonly beta2: number; readonly eps: number },
) {
  const g = gradient * at(hyper, 2);
  const first = beta1 * before.first + (1 - beta1) * g;
  const second = beta2 * before.second + (1 - beta2) * g * g;
  const size = Math.sqrt(second) * at(hyper, 1) + eps;
  return { parameter: before.parameter * at(hyper, 3) - (at(hyper, 0) * first) / size, first, second };
}

/** What `adamW` needs of step `step`: see `prepareAdamW`. */
export function adamWHyper(
  step: number,
  rate: number,
  factor: number,
  { beta1, beta2, weightDecay }: { readonly beta1: number; readonly beta2: number; readonly weightDecay: number },
): number[] {
  const corrected = rate / (1 - beta1 ** step);
  return [corrected, 1 / Math.sqrt(1 - beta2 ** step), factor, 1 - rate * weightDecay, 0, 0, 0, 0];
}

/** One step of gradient descent of PyTorch on one element. */
export function sgdStep(
  before: { readonly parameter: number; readonly velocity: number },
  gradient: number,
  rate: number,
  o: { readonly momentum: number; readonly nesterov: boolean; readonly weightDecay: number },
) {
  const g = gradient + o.weightDecay * before.parameter;
  const velocity = o.momentum * before.velocity + g;
  return { parameter: before.parameter - rate * (o.nesterov ? g + o.momentum * velocity : velocity), velocity };
}

const ADAM = { beta1: 0.9, beta2: 0.999, weightDecay: 0.01, eps: 1e-8 };
const PARAMETERS = 2 ** 20;

const judged = (totals: readonly [number, number], loss: number) => ({
  control: given([4], (i) => i, "u32"),
  totals: given([1, 2], (i) => totals[i] ?? 0),
  loss: given([1], () => loss),
  rate: given([2], (i) => [1e-3, 0.5][i] ?? 0),
});

const judgedScaled = (totals: readonly [number, number], scale: readonly [number, number]) => ({
  ...judged(totals, 2),
  scale: given([2], (i) => scale[i] ?? 0),
});

/** What `judgeStep` writes, given the factor of the gradients. */
function controlAfter(
  { control: before, totals, loss }: { readonly control: Tensor; readonly totals: Tensor; readonly loss: Tensor },
  factor: number,
  clipNorm: number | null,
): number[] {
  const [squares, wrong] = [at(totals.data, 0), at(totals.data, 1)];
  const norm = Math.sqrt(squares) * factor;
  const counts = Number.isFinite(squares) && wrong === 0 && Number.isFinite(at(loss.data, 0));
  const skips = at(before.data, 1);
  const clipped = factor * Math.min(1, (clipNorm ?? Number.POSITIVE_INFINITY) / (norm + 1e-6));
  return counts ? [0, skips, clipped, norm] : [1, skips + 1, 0, Number.POSITIVE_INFINITY];
}

/** Control words as numbers. */
const controlWords = ([skipped = 0, skips = 0, factor = 0, norm = 0]: Uint32Array) => [
  skipped,
  skips,
  floatOf(factor),
  floatOf(norm),
];

export const UPDATE = {
  squaredNorm: checkOf(squaredNorm, {
    expected: ({ x }) => [
      together([1, 2], () => {
        const finite = x.data.filter(Number.isFinite);
        return [finite.reduce((all, v) => all + v * v, 0), x.data.length - finite.length];
      }),
    ],
    cases: [
      ...[8, 7, 5601, 65_552].map((c) => ({ inputs: { x: [c] } })),
      {
        about: "some are no numbers",
        inputs: {
          x: changed(noise([1021]), (v, i) => ({ 3: Number.NaN, 500: -1 / 0, 1020: 1 / 0 })[i] ?? v),
        },
      },
    ],
  }),
  accumulate: checkOf(accumulate, {
    expected: ({ total, part }) => [vector(total.data.map((v, i) => v + at(part.data, i)))],
    tolerance: CLOSE,
    cases: LENGTHS.map((c) => ({ inputs: { total: [c], part: [c] } })),
  }),
  judgeStep: checkOf(judgeStep, {
    expected: ({ control, totals, loss, rate }, { clipNorm }) => [
      vector(controlAfter({ control, totals, loss }, at(rate.data, 1), clipNorm)),
    ],
    words: controlWords,
    tolerance: CLOSE,
    cases: [
      { about: "beyond the bound", inputs: judged([90, 0], 2), attrs: { clipNorm: 1.5 } },
      { about: "within the bound", inputs: judged([4, 0], 2), attrs: { clipNorm: 1.5 } },
      { about: "without a bound", inputs: judged([90, 0], 2), attrs: { clipNorm: null } },
      { about: "a gradient is no number", inputs: judged([90, 1], 2), attrs: { clipNorm: 1 } },
      { about: "the loss is no number", inputs: judged([90, 0], Number.NaN), attrs: { clipNorm: 1 } },
      { about: "the squares overflow", inputs: judged([1 / 0, 0], 2), attrs: { clipNorm: null } },
    ],
  }),
  judgeScaledStep: checkOf(judgeScaledStep, {
    expected({ control, scale, totals, loss, rate }, { clipNorm }) {
      const [factor, good] = [at(scale.data, 0), at(scale.data, 1)];
      const after = controlAfter({ control, totals, loss }, at(rate.data, 1) / factor, clipNorm);
      const bad = at(after, 0) !== 0;
      const moved = bad ? [Math.max(1, factor / 2), 0] : good + 1 < 2000 ? [factor, good + 1] : [2 * factor, 0];
      return [vector(after), vector([Math.min(at(moved, 0), 2 ** 24), at(moved, 1)])];
    },
    words: controlWords,
    tolerance: CLOSE,
    cases: [
      { about: "beyond the bound", inputs: judgedScaled([9e5, 0], [4, 7]), attrs: { clipNorm: 1.5 } },
      { about: "the last of 2000", inputs: judgedScaled([90, 0], [65536, 1999]), attrs: { clipNorm: null } },
      { about: "at its most", inputs: judgedScaled([90, 0], [2 ** 24, 1999]), attrs: { clipNorm: null } },
      { about: "a gradient is no number", inputs: judgedScaled([90, 1], [1024, 7]), attrs: { clipNorm: 1 } },
      { about: "at its least", inputs: judgedScaled([1 / 0, 0], [1, 7]), attrs: { clipNorm: 1 } },
    ],
  }),
  scaledSeed: checkOf(scaledSeed, {
    expected: ({ scale }) => [vector([at(scale.data, 0)])],
    cases: [{ inputs: { scale: given([2], (i) => [1024, 7][i] ?? 0) } }],
  }),
  tick: checkOf(tick, {
    expected: ({ clock, control: state }) => [vector([at(clock.data, 0) + (isSkipped(state) ? 0 : 1)])],
    cases: [false, true].map((skipped) => ({
      about: skipped ? "skipped" : "counted",
      inputs: { clock: given([1], () => 41, "u32"), control: control(skipped) },
    })),
  }),
  prepareAdamW: checkOf(prepareAdamW, {
    expected({ clock, control: state, rate }, { rateFactor = 1, ...adam }) {
      const hyper = adamWHyper(at(clock.data, 0), at(rate.data, 0) * rateFactor, factorOf(state), adam);
      return [vector(isSkipped(state) ? hyper.with(4, 1) : hyper)];
    },
    tolerance: 2e-6,
    cases: [
      [1, 1, false],
      [3, 10, false],
      [700, 0.125, false],
      [90_000, 1, true],
    ].map(([step, rateFactor, skipped]) => ({
      about: `step ${step}${skipped ? ", skipped" : ""}`,
      inputs: {
        clock: given([1], () => Number(step), "u32"),
        control: control(skipped === true, 0.25),
        rate: given([2], () => 1e-3),
      },
      attrs: { ...ADAM, rateFactor: Number(rateFactor) },
    })),
  }),
  adamW: checkOf(adamW, {
    expected({ parameter, first, second, gradient, hyper }, attrs) {
      const after = (i: number) => {
        const before = { parameter: at(parameter.data, i), first: at(first.data, i), second: at(second.data, i) };
        return at(hyper.data, 4) !== 0 ? before : adamWStep(before, at(gradient.data, i), hyper.data, attrs);
      };
      return (["parameter", "first", "second"] as const).map((what) => ({
        shape: parameter.shape,
        at: (i: number) => after(i)[what],
      }));
    },
    tolerance: CLOSE,
    cases: STEPS.map(({ c, skipped, gradient }) => ({
      ...(skipped ? SKIPPED : {}),
      inputs: {
        parameter: [c],
        first: [c],
        second: noise([c], { centre: 1.5 }),
        gradient,
        hyper: given([8], (i) => adamWHyper(3, 1e-2, 0.5, ADAM).with(4, skipped ? 1 : 0)[i] ?? 0),
      },
      attrs: ADAM,
    })),
    bench: () => [
      {
        row: "AdamW",
        detail: `${PARAMETERS} parameters`,
        inputs: {
          parameter: [PARAMETERS],
          first: given([PARAMETERS], () => 0),
          second: given([PARAMETERS], () => 0),
          gradient: [PARAMETERS],
          hyper: given([8], (i) => adamWHyper(1, 1e-3, 1, ADAM)[i] ?? 0),
        },
        attrs: ADAM,
        passes: [],
      },
    ],
  }),
  sgd: checkOf(sgd, {
    expected({ parameter, velocity, gradient, control: state, rate }, { rateFactor = 1, ...attrs }) {
      const after = (i: number) => {
        const before = { parameter: at(parameter.data, i), velocity: at(velocity.data, i) };
        const scaled = at(gradient.data, i) * factorOf(state);
        return isSkipped(state) ? before : sgdStep(before, scaled, at(rate.data, 0) * rateFactor, attrs);
      };
      return (["parameter", "velocity"] as const).map((what) => ({
        shape: parameter.shape,
        at: (i: number) => after(i)[what],
      }));
    },
    tolerance: CLOSE,
    cases: STEPS.flatMap(({ c, skipped, gradient }) =>
      [
        { momentum: 0, nesterov: false, weightDecay: 0.02 },
        { momentum: 0.9, nesterov: false, weightDecay: 0 },
        { momentum: 0.9, nesterov: true, weightDecay: 0.02, rateFactor: 10 },
      ].map((attrs) => ({
        ...(skipped ? SKIPPED : {}),
        inputs: {
          parameter: [c],
          velocity: [c],
          gradient,
          control: control(skipped, 0.5),
          rate: given([2], () => 0.05),
        },
        attrs,
      })),
    ),
  }),
};

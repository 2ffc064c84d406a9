import type { Target } from "../../target.ts";
import { type Form, LARGE, SMALL, TILE_DEPTH, tileOf } from "./tile.ts";

/** A product of `rows` with `columns`, `phases` of them, each summed in so many turns of {@link TILE_DEPTH}. */
export interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly phases: number;
  readonly turns: number;
  /** Whether its operands are read four numbers at a time. */
  readonly wide: boolean;
}

/** A tile's form, and in how many stretches its sum is cut. */
export interface TileChoice {
  readonly form: Form;
  readonly splits: number;
}

/** What a form costs on a compute unit that does 128 multiply-accumulates a clock, as compilers' listings tell. */
interface Cost {
  readonly form: Form;
  /** Clocks of a turn where other workgroups fill every wait: multiplying, and reading the panels at 128 bytes a clock. */
  readonly busy: number;
  /** Workgroups whose registers a unit holds at once. */
  readonly resident: number;
}

const COSTS: readonly Cost[] = [
  { form: LARGE, busy: 1090, resident: 2 },
  { form: SMALL, busy: 290, resident: 6 },
];

/** Clocks from a read of memory to its use: a workgroup that is alone takes no less for a turn. */
const LATENCY = 700;
/** Clocks of one more dispatch, about 5 microseconds. */
export const DISPATCH = 12_500;
/** Bytes of partial sums that all units together move in a clock. */
const TRAFFIC = 1000;

/** A shorter stretch is mostly the start and the end of its kernel. */
const SHORTEST = 12;
/** Bytes that partial sums may take. */
const PARTS = 2 ** 26;
const SPLITS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256];

/**
 * The form and the number of splits with which a product is done soonest, by a model of three facts: a unit does its
 * workgroups one round after the other, so the last round's idle units count; a unit with few workgroups waits for
 * memory; and splits are added in a dispatch of their own. How many units there are is a guess ({@link Target}), so the
 * time is the mean of that and three quarters of it. Reads nothing but its arguments: the choice is the same in every run.
 */
export function chooseTile(product: Product, target: Target): TileChoice {
  const { form, splits } = soonest(product, target);
  // Operands read number by number are many reads: once in the text is enough of them.
  return { form: product.wide ? form : { ...form, schedule: "plain" }, splits };
}

/** Clocks that a product takes with that choice, to be compared with those of another way to the same numbers. */
export const tiledClocks = (product: Product, target: Target): number => soonest(product, target).clocks;

/** The choice, and the mean of its clocks. */
function soonest(product: Product, target: Target): TileChoice & { readonly clocks: number } {
  const counts = [target.computeUnits, Math.ceil(0.75 * target.computeUnits)];
  const choices = COSTS.flatMap((cost) =>
    splitsOf(product, target).map((splits) => ({
      form: cost.form,
      splits,
      clocks: counts.reduce((sum, units) => sum + clocksOf(product, cost, splits, units) / counts.length, 0),
    })),
  );
  return choices.reduce((best, choice) => (choice.clocks < best.clocks ? choice : best));
}

const numbersOf = ({ rows, columns, phases }: Product): number => rows * columns * phases;

function splitsOf(product: Product, { bindingLimit }: Target): readonly number[] {
  const most = Math.min(product.turns / SHORTEST, Math.min(PARTS, bindingLimit) / (4 * numbersOf(product)));
  return SPLITS.filter((splits) => splits === 1 || splits <= most);
}

function clocksOf(product: Product, { form, busy, resident }: Cost, splits: number, units: number): number {
  const { side } = tileOf(form);
  const workgroups = Math.ceil(product.rows / side) * Math.ceil(product.columns / side) * product.phases * splits;
  const turns = Math.ceil(product.turns / splits);
  const each = Math.ceil(workgroups / units);
  const computing = each * turns * busy;
  const waiting = Math.ceil(each / resident) * turns * Math.max(busy, LATENCY);
  const adding = splits > 1 ? DISPATCH + ((2 * splits + 1) * 4 * numbersOf(product)) / TRAFFIC : 0;
  return Math.max(computing, waiting) + adding;
}

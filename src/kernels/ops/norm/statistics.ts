import { rowsOf } from "../../shader/chunks.ts";
import { reduceColumns } from "../../shader/columns.ts";
import { read, type TensorUse, write } from "../../shader/shader.ts";
import type { Dispatch, LowerCall, Value } from "../../trace/op.ts";
import { lastOf } from "../../trace/shape.ts";
import type { KernelCall } from "./kernels.ts";

type Scratch = LowerCall<string, unknown>["scratch"];

/**
 * Mean and variance of each channel of `x` into `statistics` [3, c], by Chan's formula for joining parts. All values
 * are taken relative to the channel's first, and the mean is kept as a sum of two floats: a mean that is large beside
 * the deviation would otherwise lose digits that the norm then multiplies up.
 */
export function channelStatistics(call: KernelCall & { scratch: Scratch; x: Value; statistics: Value }): Dispatch[] {
  const { label, target, wide, scratch, x, statistics } = call;
  const columns = lastOf(x.shape);
  const rows = rowsOf(x, columns);
  const tensors = { x: read(x, wide) };
  return reduceColumns({
    ...{ label: `${label} statistics`, target, scratch, wide, outer: 1, rows, columns },
    ...moments("x_at(column)", { ...tensors, statistics: write(statistics, wide) }, rows),
    gather: { tensors, body: GATHER },
  });
}

/**
 * The same of what tiles of `side` of all `rows` tell of their columns, `partials` [tiles, 3, c]: a tile's first row, its
 * mean relative to that, and the sum of its squared deviations.
 */
export function joinedStatistics(
  call: KernelCall & {
    scratch: Scratch;
    partials: Value;
    side: number;
    rows: number;
    statistics: Value;
  },
): Dispatch[] {
  const { label, target, wide, scratch, partials, side, rows, statistics } = call;
  const [tiles = 0, , columns = 0] = partials.shape;
  const tensors = { tiles: read(partials, wide) };
  return reduceColumns({
    ...{ label: `${label} statistics`, target, scratch, wide, outer: 1, rows: tiles, columns },
    ...moments("tiles_at(column)", { ...tensors, statistics: write(statistics, wide) }, rows),
    gather: { tensors, sizes: { side, all: rows }, functions: TILE, body: JOIN_TILES },
  });
}

/** Means relative to the first of `rows` rows, which is read by `origin`, and squared deviations from them. */
function moments(origin: string, tensors: Readonly<Record<string, TensorUse>>, rows: number) {
  return {
    members: ["mean", "squares", "rows"],
    join: `  let apart = b.mean - a.mean;
  let share = b.rows / (a.rows + b.rows);
  let squares = a.squares + (b.squares + apart * apart * (a.rows * share));
  return Part(a.mean + apart * share, squares, a.rows + b.rows);`,
    finish: {
      tensors,
      floats: { divisor: rows },
      body: `  let origin = ${origin};
  let high = origin + total.mean;
  statistics_set(column, high);
  statistics_set(args.columns + column, total.squares / args.divisor);
  statistics_set(2u * args.columns + column, (origin - high) + total.mean);`,
    },
  };
}

/**
 * Blocks of 32 rows, four at a time: mean and squared deviations of a block in registers, then joined to those so far.
 * Rounding grows with the length of a block and the number of blocks, not with their product.
 */
const GATHER = `  let origin = x_at(column);
  let stride = step * args.columns;
  var mean = T(0.0);
  var squares = T(0.0);
  for (var begin = 0u; begin < count; begin += 32u) {
    let length = min(32u, count - begin);
    let start = (first + begin * step) * args.columns + column;
    var near = x_at(start) - origin;
    var spread = T(0.0);
    var row = 1u;
    for (; row + 4u <= length; row += 4u) {
      let at = start + row * stride;
      let a = x_at(at) - origin;
      let b = x_at(at + stride) - origin;
      let c = x_at(at + 2u * stride) - origin;
      let d = x_at(at + 3u * stride) - origin;
      let four = 0.25 * ((a + b) + (c + d));
      let apart = four - near;
      let share = 4.0 / f32(row + 4u);
      near += apart * share;
      spread += ((a - four) * (a - four) + (b - four) * (b - four)) + ((c - four) * (c - four) + (d - four) * (d - four))
        + apart * apart * (f32(row) * share);
    }
    for (; row < length; row++) {
      let apart = x_at(start + row * stride) - origin - near;
      let share = 1.0 / f32(row + 1u);
      near += apart * share;
      spread += apart * apart * (f32(row) * share);
    }
    let apart = near - mean;
    let share = f32(length) / f32(begin + length);
    mean += apart * share;
    squares += spread + apart * apart * (f32(begin) * share);
  }
  return Part(mean, squares, T(f32(count)));`;

/** What a tile tells, its mean relative to the first row of all. */
const TILE = `fn tile(column: u32, row: u32) -> Part {
  let at = 3u * row * args.columns + column;
  let mean = (tiles_at(at) - tiles_at(column)) + tiles_at(at + args.columns);
  return Part(mean, tiles_at(at + 2u * args.columns), T(f32(min(args.side, args.all - row * args.side))));
}`;

/** Four at a time, so that as many reads are on their way. */
const JOIN_TILES = `  var total = tile(column, first);
  var turn = 1u;
  for (; turn + 4u <= count; turn += 4u) {
    let row = first + turn * step;
    let two = join(tile(column, row), tile(column, row + step));
    total = join(total, join(two, join(tile(column, row + 2u * step), tile(column, row + 3u * step))));
  }
  for (; turn < count; turn++) { total = join(total, tile(column, first + turn * step)); }
  return total;`;

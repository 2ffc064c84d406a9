import { chunksOf, foldRounds, rowsOf } from "../../shader/chunks.ts";
import { elementType, perInvocation, read, write } from "../../shader/shader.ts";
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
  const { label, target, wide, x, statistics } = call;
  const channels = lastOf(x.shape);
  const columns = wide ? channels / 4 : channels;
  const rows = rowsOf(x, channels);
  const { chunks, base, rest } = chunksOf(rows, columns, target);
  const partials = call.scratch([chunks, 2, channels]);
  const dispatches = [
    perInvocation({
      label: `${label} statistics`,
      target,
      count: chunks * columns,
      type: elementType(wide),
      tensors: { x: read(x, wide), partials: write(partials, wide) },
      sizes: { columns, base, rest },
      body: CHUNK_STATISTICS,
    }),
  ];
  let [parts, span, from] = [chunks, 1, partials];
  for (const fan of foldRounds(chunks)) {
    const results = Math.ceil(parts / fan);
    const to = results === 1 ? statistics : call.scratch([results, 2, channels]);
    dispatches.push(
      perInvocation({
        label: `${label} statistics fold`,
        target,
        count: results * columns,
        type: elementType(wide),
        tensors: { x: read(x, wide), partials: read(from, wide), joined: write(to, wide) },
        sizes: { columns, parts, span, fan, chunks, base, rest, last: results === 1 ? 1 : 0 },
        floats: { divisor: rows },
        functions: ROWS_BEFORE,
        body: JOIN_STATISTICS,
      }),
    );
    [parts, span, from] = [results, span * fan, to];
  }
  return dispatches;
}

/**
 * Blocks of 32 rows, four at a time: mean and squared deviations of a block in registers, then joined to those so far.
 * Rounding grows with the length of a block and the number of blocks, not with their product.
 */
const CHUNK_STATISTICS = `  let column = i % args.columns;
  let chunk = i / args.columns;
  let rows = args.base + select(0u, 1u, chunk < args.rest);
  let origin = x_at(column);
  var mean = T(0.0);
  var squares = T(0.0);
  for (var first = 0u; first < rows; first += 32u) {
    let length = min(32u, rows - first);
    let start = i + first * args.count;
    var near = x_at(start) - origin;
    var spread = T(0.0);
    var row = 1u;
    for (; row + 4u <= length; row += 4u) {
      let at = start + row * args.count;
      let a = x_at(at) - origin;
      let b = x_at(at + args.count) - origin;
      let c = x_at(at + 2u * args.count) - origin;
      let d = x_at(at + 3u * args.count) - origin;
      let four = 0.25 * ((a + b) + (c + d));
      let apart = four - near;
      let share = 4.0 / f32(row + 4u);
      near += apart * share;
      spread += ((a - four) * (a - four) + (b - four) * (b - four)) + ((c - four) * (c - four) + (d - four) * (d - four))
        + apart * apart * (f32(row) * share);
    }
    for (; row < length; row++) {
      let apart = x_at(start + row * args.count) - origin - near;
      let share = 1.0 / f32(row + 1u);
      near += apart * share;
      spread += apart * apart * (f32(row) * share);
    }
    let apart = near - mean;
    let share = f32(length) / f32(first + length);
    mean += apart * share;
    squares += spread + apart * apart * (f32(first) * share);
  }
  partials_set(2u * chunk * args.columns + column, mean);
  partials_set((2u * chunk + 1u) * args.columns + column, squares);`;

/** Rows in all chunks before those of partial result `part`. */
const ROWS_BEFORE = `fn rows_before(part: u32) -> f32 {
  let chunk = min(part * args.span, args.chunks);
  return f32(chunk * args.base + min(chunk, args.rest));
}`;

const JOIN_STATISTICS = `  let column = i % args.columns;
  let result = i / args.columns;
  let first = result * args.fan;
  let end = min(first + args.fan, args.parts);
  var mean = partials_at(2u * first * args.columns + column);
  var squares = partials_at((2u * first + 1u) * args.columns + column);
  var rows = rows_before(first + 1u) - rows_before(first);
  for (var part = first + 1u; part < end; part++) {
    let more = rows_before(part + 1u) - rows_before(part);
    let apart = partials_at(2u * part * args.columns + column) - mean;
    let share = more / (rows + more);
    mean += apart * share;
    squares += partials_at((2u * part + 1u) * args.columns + column) + apart * apart * (rows * share);
    rows += more;
  }
  if (args.last == 0u) {
    joined_set(2u * result * args.columns + column, mean);
    joined_set((2u * result + 1u) * args.columns + column, squares);
    return;
  }
  let origin = x_at(column);
  let high = origin + mean;
  joined_set(column, high);
  joined_set(args.columns + column, squares / args.divisor);
  joined_set(2u * args.columns + column, (origin - high) + mean);`;

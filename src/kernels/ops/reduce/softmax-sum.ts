import { ShapeError } from "../../../errors.ts";
import { reduceColumns } from "../../shader/columns.ts";
import { allWide, read, write } from "../../shader/shader.ts";
import { fitsWorkgroupTiles } from "../../target.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp } from "../../trace/op.ts";
import { sizeOf } from "../../trace/shape.ts";
import { weightedSum } from "./reduce.ts";
import { softmax } from "./softmax.ts";

/**
 * out[g] = sum over n of softmax(logits[g])[n] * x[g, n], of `logits [g, n]` and `x [g, n, c]`. On a GPU the weights are
 * never stored: each lane carries the largest logit so far and what was summed relative to it. A CPU driver would
 * compute an exponential for each column, so there the weights are made first.
 */
export const softmaxSum = defineOp<unknown>()({
  name: "softmaxSum",
  inputs: ["logits", "x"],
  shape({ logits, x }) {
    const [g = 0, n = 0, c = 0] = x;
    if (x.length !== 3 || logits.join() !== [g, n].join()) {
      throw new ShapeError(`softmaxSum: logits [${logits}] must be [g, n] of x [g, n, c], which is [${x}]`);
    }
    return [g, c];
  },
  lower(call) {
    const { logits, x } = call.inputs;
    const { target, scratch, out } = call;
    if (!fitsWorkgroupTiles(target)) {
      const weights = scratch(logits.shape);
      return [
        ...softmax.lower({ ...call, inputs: { x: logits }, out: weights }),
        ...weightedSum.lower({ ...call, inputs: { weights, x } }),
      ];
    }
    const [outer = 1, rows = 1, columns = 1] = x.shape;
    const wide = allWide(x);
    return reduceColumns({
      ...{ label: "softmaxSum", target, scratch, wide, outer, rows, columns },
      members: ["top", "mass", "total"],
      join: `  let top = max(a.top, b.top);
  let ofA = exp(a.top - top);
  let ofB = exp(b.top - top);
  return Part(top, ofA * a.mass + ofB * b.mass, ofA * a.total + ofB * b.total);`,
      gather: { tensors: { logits: read(logits), x: read(x, wide) }, functions: ITEM, body: GATHER },
      finish: {
        tensors: { out: write(out, wide) },
        body: "  out_set(row * args.columns + column, total.total / total.mass);",
      },
    });
  },
  macs: ({ x }) => sizeOf(x),
  cost: FREE,
  derivative: "it is made by a pass that runs after differentiation",
});

const ITEM = "fn item(column: u32, row: u32) -> T { return x_at(row * args.columns + column); }";

/** Four rows at a time, so that a lane waits once for their loads and scales what it has once. */
const GATHER = `  var most = logits_at(first);
  var mass = 1.0;
  var total = item(column, first);
  var row = first + step;
  var left = count - 1u;
  for (; left >= 4u; left -= 4u) {
    let logit = vec4f(logits_at(row), logits_at(row + step), logits_at(row + 2u * step), logits_at(row + 3u * step));
    let a = item(column, row); let b = item(column, row + step);
    let c = item(column, row + 2u * step); let d = item(column, row + 3u * step);
    let pair = max(logit.xy, logit.zw);
    let peak = max(most, max(pair.x, pair.y));
    let share = exp(logit - peak);
    let kept = exp(most - peak);
    mass = kept * mass + ((share.x + share.y) + (share.z + share.w));
    total = kept * total + ((share.x * a + share.y * b) + (share.z * c + share.w * d));
    most = peak;
    row += 4u * step;
  }
  for (; left > 0u; left--) {
    let peak = max(most, logits_at(row));
    let share = exp(logits_at(row) - peak);
    let kept = exp(most - peak);
    mass = kept * mass + share;
    total = kept * total + share * item(column, row);
    most = peak;
    row += step;
  }
  return Part(T(most), T(mass), total);`;

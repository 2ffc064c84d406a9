import type { OpName } from "../kernels/ops.ts";
import { ATTENTION } from "./cases/attention.ts";
import { CONTRACTION } from "./cases/contraction.ts";
import { LAYOUT } from "./cases/layout.ts";
import { MASK_LOSS } from "./cases/mask-loss.ts";
import { NORM } from "./cases/norm.ts";
import { NORM_GRADIENT } from "./cases/norm-gradient.ts";
import { PIXEL_LOSS } from "./cases/pixel-loss.ts";
import { POINTWISE } from "./cases/pointwise.ts";
import { POOL } from "./cases/pool.ts";
import { REDUCE } from "./cases/reduce.ts";
import { UPDATE } from "./cases/update.ts";
import { WEIGHT_GRADIENT } from "./cases/weight-gradient.ts";
import type { Check } from "./check.ts";

/**
 * Every op with its definition and the calls it is tried with. A new op is declared in its file, has a line in the table
 * of ops (kernels/ops.ts), and its check beside those of its family; one that has none makes this table not compile.
 */
export const OP_CHECKS: { readonly [N in OpName]: Check } = {
  ...CONTRACTION,
  ...WEIGHT_GRADIENT,
  ...ATTENTION,
  ...NORM,
  ...NORM_GRADIENT,
  ...LAYOUT,
  ...PIXEL_LOSS,
  ...MASK_LOSS,
  ...POINTWISE,
  ...REDUCE,
  ...POOL,
  ...UPDATE,
};

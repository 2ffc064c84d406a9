import type { Device } from "../kernels/device/device.ts";
import { perCase } from "./op-case.ts";
import { checkComparison } from "./ops-comparison.ts";
import { checkAttention, checkConv2d, checkConvTranspose2d, checkLinear, checkNormalisation } from "./ops-compute.ts";
import { checkPublishedLoss } from "./ops-loss.ts";
import { checkDropout, checkPacking, checkPointwise, checkPooling, checkResize, checkSoftmax } from "./ops-move.ts";
import { checkAdamW, checkLoss } from "./ops-train.ts";
import type { Checkers } from "./run.ts";

/** The checks of single ops on a device. One device serves all files, so that each pipeline is compiled once. */
export function opCheckers(device: Device): Checkers {
  return {
    "ops/conv2d": perCase(device, checkConv2d),
    "ops/conv_transpose2d": perCase(device, checkConvTranspose2d),
    "ops/linear": perCase(device, checkLinear),
    "ops/pooling": perCase(device, checkPooling),
    "ops/resize": perCase(device, checkResize),
    "ops/normalisation": perCase(device, checkNormalisation),
    "ops/softmax": perCase(device, checkSoftmax),
    "ops/attention": perCase(device, checkAttention),
    "ops/packing": perCase(device, checkPacking),
    "ops/pointwise": perCase(device, checkPointwise),
    "ops/dropout": perCase(device, checkDropout),
    "ops/loss": perCase(device, checkLoss),
    "ops/comparison": perCase(device, checkComparison),
    "ops/losses": perCase(device, checkPublishedLoss),
    "ops/adamw": perCase(device, checkAdamW),
  };
}

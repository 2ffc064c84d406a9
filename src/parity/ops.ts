import type { Device } from "../kernels/device/device.ts";
import type { Checker, Checkers } from "./check-files.ts";
import type { FixtureCase } from "./fixture.ts";
import { type CaseCheck, compareCall, type GoldenCall } from "./golden-call.ts";
import {
  attentionCall,
  comparisonCall,
  conv2dCall,
  convTranspose2dCall,
  linearCall,
  softmaxCall,
} from "./layer-families.ts";
import { lossCall, publishedLossCall } from "./loss-families.ts";
import { dropoutCall, packingCall, pointwiseCall, poolingCall, resizeCall } from "./move-families.ts";
import { checkAdamW, checkNormalisation } from "./state-families.ts";

/** How the cases of each family of golden files call our ops. */
const CALLS: { readonly [family: string]: (golden: FixtureCase) => GoldenCall } = {
  conv2d: conv2dCall,
  conv_transpose2d: convTranspose2dCall,
  linear: linearCall,
  pooling: poolingCall,
  resize: resizeCall,
  softmax: softmaxCall,
  attention: attentionCall,
  packing: packingCall,
  pointwise: pointwiseCall,
  dropout: dropoutCall,
  loss: lossCall,
  comparison: comparisonCall,
  losses: publishedLossCall,
};

/** Families whose cases hold state that steps change. */
const STATEFUL: { readonly [family: string]: (check: CaseCheck) => Promise<void> } = {
  normalisation: checkNormalisation,
  adamw: checkAdamW,
};

/** The checks of single ops on a device. One device serves all files, so that each pipeline is compiled once. */
export function opCheckers(device: Device): Checkers {
  const calls = Object.entries(CALLS).map(
    ([family, call]) =>
      [family, async (check: CaseCheck) => void (await compareCall(check, call(check.golden)))] as const,
  );
  const families = [...calls, ...Object.entries(STATEFUL)];
  return Object.fromEntries(families.map(([family, check]) => [`ops/${family}`, perCase(device, check)]));
}

/** A checker that runs `check` on every case of a file. */
function perCase(device: Device, check: (context: CaseCheck) => Promise<void>): Checker {
  return async (file, report) => {
    for (const name of file.caseNames()) {
      await report.inCase(name, () => check({ device, golden: file.case(name), report }));
    }
  };
}

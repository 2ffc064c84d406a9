import type { Device } from "../kernels/device/device.ts";
import { among, type Checkers, type FindChecker } from "./check-files.ts";
import { checkImages } from "./images.ts";
import { checkMetrics } from "./metrics.ts";
import { modelChecker } from "./model.ts";
import { netsChecker } from "./nets.ts";
import { opCheckers } from "./ops.ts";
import { checkSchedule } from "./schedule.ts";

const WITHOUT_DEVICE: Checkers = { metrics: checkMetrics, "ops/images": checkImages, "ops/schedule": checkSchedule };

/** Every check there is. `open` is called once, when a file needs the GPU. */
export function everyChecker(open: () => Promise<Device>): FindChecker {
  let onDevice: Promise<FindChecker> | undefined;
  return async (name) => {
    const here = await among(WITHOUT_DEVICE)(name);
    if (here || !(name.startsWith("ops/") || name === "model" || name === "nets")) return here;
    onDevice ??= open().then((device) =>
      among({ ...opCheckers(device), model: modelChecker(device), nets: netsChecker(device) }),
    );
    return (await onDevice)(name);
  };
}

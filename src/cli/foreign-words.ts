import { existsSync } from "node:fs";
import { UsageError } from "../errors.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { SVANET_PRESETS } from "../model/svanet/config.ts";

/** What people bring along from other programs, and what there is here instead. */

/** torchvision's files of ImageNet by encoder. */
const TORCHVISION: Readonly<Record<string, string>> = {
  resnet18: "resnet18-f37072fd.pth",
  resnet34: "resnet34-b627a593.pth",
  resnet50: "resnet50-11ad3fa6.pth",
};

/** The answer to an option that other programs have; undefined for one that nobody knows. `message` is the parser's. */
export function foreignOption(message: string): string | undefined {
  const [, option] = /unknown option '(--(?:no-)?(?:device|devices|gpus?|cuda))\b/.exec(message) ?? [];
  return option === undefined
    ? undefined
    : `there is no ${option}: the GPU is found by itself through Vulkan, Metal or D3D12, no CUDA is needed; --adapter NAME ` +
        "chooses one of several, which svanet doctor --list shows\n";
}

/** UsageError where `--weights` names no file: for a name such as `imagenet` with the file that is meant. */
export function requireWeightsFile({ weights, preset, encoder }: TrainConfig): void {
  if (weights === null || existsSync(weights)) return;
  if (/[./\\]/.test(weights)) throw new UsageError(`--weights ${weights}: there is no such file`);
  const file = TORCHVISION[encoder ?? SVANET_PRESETS[preset].encoder] ?? TORCHVISION["resnet50"];
  throw new UsageError(
    `--weights ${weights}: weights are a file here, and none is downloaded; those of ImageNet are ` +
      `https://download.pytorch.org/models/${file}: save it and give --weights ${file}`,
  );
}

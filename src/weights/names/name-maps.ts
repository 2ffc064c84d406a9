import { DEEPLABV3_MAP } from "./deeplabv3.ts";
import { ENCODER_MAPS } from "./encoders.ts";
import { POLYP_MAPS } from "./polyp-networks.ts";
import { ENCODER, type NameMap } from "./rules.ts";
import { releaseName } from "./svanet-release.ts";
import { UNET_MAPS } from "./unets.ts";

/**
 * Names of tensors in publicly distributed files, beside ours; our own names first. Each map was checked against the
 * public code: the same weights under both names give the same outputs.
 */
export const NAME_MAPS: readonly NameMap[] = [
  {
    label: "this program",
    ours: (name, known) => (known.has(name) ? name : undefined),
    unused: [{ names: /^optimizer\./, what: "the optimizer's state" }],
    backbone: ENCODER,
  },
  { label: "the authors' SvANet", ours: (name) => releaseName(name), unused: [], backbone: ENCODER },
  ...ENCODER_MAPS,
  ...UNET_MAPS,
  ...POLYP_MAPS,
  DEEPLABV3_MAP,
];

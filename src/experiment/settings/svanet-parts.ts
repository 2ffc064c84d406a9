import { z } from "zod";
import { FORMER_CHOICES } from "../../model/svanet/assemformer.ts";
import { ENCODER_NAMES, GUIDE_BLOCKS, LINK_TAPS, LINKS, SV_MODES } from "../../model/svanet/config.ts";
import { GATE_KINDS } from "../../model/svanet/gates.ts";

const count = z.number().int().min(1);
const gate = z.enum(GATE_KINDS);

/** Fields for the parts of SvANet that can be exchanged, named as its configuration names them; null keeps the preset's. */
export const SVANET_PARTS = {
  encoder: z.enum(ENCODER_NAMES).nullable().default(null),
  neck: z.boolean().nullable().default(null),
  neckRatio: z.number().positive().max(16).nullable().default(null),
  neckAttention: gate.nullable().default(null),
  mcSizes: z.array(count).min(1).nullable().default(null),
  mcShuffle: z.boolean().nullable().default(null),
  guidance: z.boolean().nullable().default(null),
  guideBlock: z.enum(GUIDE_BLOCKS).nullable().default(null),
  svMode: z.enum(SV_MODES).nullable().default(null),
  link: z.enum(LINKS).nullable().default(null),
  linkTap: z.enum(LINK_TAPS).nullable().default(null),
  formerBefore: z.boolean().nullable().default(null),
  formerAfter: z.boolean().nullable().default(null),
  formerLocal: z.enum(FORMER_CHOICES.formerLocal).nullable().default(null),
  formerHeads: count.nullable().default(null),
  formerGateBefore: gate.nullable().default(null),
  formerGateAfter: gate.nullable().default(null),
};

/** The fields of {@link SVANET_PARTS}. */
export const SVANET_FIELDS = Object.keys(SVANET_PARTS) as (keyof typeof SVANET_PARTS)[];

import type { BinaryTarget } from "./supervision.ts";

/**
 * Every name that a trace and the host which feeds it share: inputs written before a run, tensors kept between runs, the
 * arenas these lie in. Nobody writes such a name out elsewhere.
 */
export const INPUT = {
  /** `[n, h, w, channels]`, normalised. */
  image: "image",
  /** i32 `[n, h, w]`. */
  label: "label",
  /** `[classes]`. */
  classWeights: "class weights",
  /** `[1]`: the gradient of the loss by itself, 1. */
  one: "one",
  /** `[2]`: the learning rate, and the factor of the gradients (1 / accumulated batches). */
  rate: "rate",
} as const;

/** Name of the input `[n, h, w, 1]` that a binary head is compared with. */
export const targetInput = (kind: BinaryTarget): string => `target ${kind}`;

/** Name of the input that a random choice fills; with `map`, one of several. */
export const drawInput = (draw: string, map?: number): string =>
  map === undefined ? `draw:${draw}` : `draw:${draw}.map.${map}`;

/** What a network remembers of each kind, by the name PyTorch has for it. */
export const parameterKey = (kind: "weight" | "statistic" | "region", name: string): string =>
  `${{ weight: "param", statistic: "stat", region: "region" }[kind]}:${name}`;

/** Parameters are stored in two arenas, each with a clock of its own: a frozen encoder starts late. */
export const GROUPS = ["encoder", "rest"] as const;
export type GroupName = (typeof GROUPS)[number];

/**
 * What training keeps for each weight, in arenas of one layout: the weight, its gradient, the optimizer's first and
 * second moments (SGD's velocity is the first), and the sum of gradients of accumulated batches.
 */
export type Role = "weight" | "gradient" | "first" | "second" | "total";

/** The arena of a group. */
export const arenaOf = (role: Role, group: GroupName): string => `${role}/${group}`;

/** Key of what a role keeps for the weight stored under `key`. */
export const keyOf = (role: Role, key: string): string => (role === "weight" ? key : `${role}:${key}`);

/** Running averages of batch norms. */
export const STATISTICS_ARENA = "statistics";

/** Statistics of a training batch, `[3, c]` for each norm: beside each other, so that one step moves all running ones. */
export const BATCH_STATISTICS_ARENA = "batch statistics";
/** Key of a norm's, by its name. */
export const batchStatisticsKey = (norm: string): string => `batch:${norm}`;

/** u32 `[norms, 8]`: where statistics of norms lie, of the n-th step that moves running ones. */
export const runningInput = (n: number): string => `running statistics ${n}`;

/** u32 `[4]` that says whether a step counts; its words are described in kernels/ops/update. */
export const CONTROL = { arena: "step", key: "step.control" } as const;

/** u32 `[1]` for each group: its own count of updates. Apart from the control words, which a dispatch that ticks reads. */
export const CLOCKS_ARENA = "clocks";
export const clockKey = (group: GroupName): string => `clock.${group}`;

/** `[2]`: what the loss's gradient is multiplied by in half precision, and the good steps since that last changed. */
export const LOSS_SCALE = { arena: "loss scale", key: "step.scale" } as const;

/** `[1]`: the sum of the losses of accumulated batches. */
export const LOSS_TOTAL = { arena: "loss", key: "loss.total" } as const;

import { logOdds } from "../kernels/ops/loss/log-odds.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { trainingLoss } from "../model/losses.ts";
import { type RegionLoss, RegionTargets, regionLoss } from "../model/region-losses.ts";
import { DEFAULT_LOSS } from "../model/supervision.ts";
import type { Attributes } from "./attributes.ts";
import { type CaseCheck, checkGradients, type Values, valueNamed } from "./op-case.ts";

const { ignoreIndex } = DEFAULT_LOSS;

type Body = (graph: Graph, values: Values) => Value;

const region =
  (name: RegionLoss): Body =>
  (graph, values) => {
    const given = { logits: valueNamed(values, "logits"), label: valueNamed(values, "label") };
    return regionLoss(graph, name, given, new RegionTargets(graph, ignoreIndex));
  };

const BODIES = {
  structure: () => region("structure"),
  bce_dice: () => region("bce-dice"),
  log_odds: (): Body => (graph, values) => graph.apply(logOdds, { logits: valueNamed(values, "logits") }, {}),
  ohem(attributes: Attributes): Body {
    const ohemThreshold = attributes.number("threshold");
    const ohemKept = attributes.integer("kept");
    const settings = { ...DEFAULT_LOSS, kind: "ohem", ohemThreshold, ohemKept } as const;
    return (graph, values) =>
      trainingLoss(
        graph,
        valueNamed(values, "logits"),
        valueNamed(values, "label"),
        valueNamed(values, "weight"),
        settings,
      );
  },
  emphasis(attributes: Attributes): Body {
    const classes = attributes.integer("classes");
    return (graph, values) => {
      const targets = new RegionTargets(graph, ignoreIndex);
      return targets.emphasis(targets.masks(valueNamed(values, "label"), classes));
    };
  },
} as const;

/** The losses that networks were published with, from logits and labels on as training takes them. */
export async function checkPublishedLoss(check: CaseCheck): Promise<void> {
  const { golden } = check;
  const name = golden.attributes.choice("op", Object.keys(BODIES) as (keyof typeof BODIES)[]);
  const body = BODIES[name](golden.attributes);
  const { shape, data } = golden.has("label") ? golden.int("label") : { shape: [1], data: new Int32Array(1) };
  const inputs = name === "emphasis" ? [] : ["logits"];
  const ones = new Float32Array(golden.has("logits") ? (golden.float("logits").shape[1] ?? 0) : 1).fill(1);
  const constants = { label: { shape, data }, weight: { shape: [ones.length], data: ones } };
  await checkGradients(check, { inputs, constants }, body);
}

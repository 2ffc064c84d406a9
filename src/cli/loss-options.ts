import { asNamesOrNumbers, asNumber, asNumbers, asText, type OptionTable } from "./option-row.ts";

/** The rows that decide what training minimises. */
export const LOSS_OPTIONS = {
  loss: {
    group: "Loss",
    argument: "<name>",
    help: "what training minimises, published being the network's own (svanet models names it)",
    parse: asText,
    sample: ["ohem", "ohem"],
  },
  headWeights: {
    group: "Loss",
    argument: "<list>",
    help: "weight of each output in the network's order, such as 1,0.4; 0 leaves one out",
    parse: asNumbers,
    sample: ["1,0.25", [1, 0.25]],
    omitted: "the network's own",
  },
  ohemThreshold: {
    group: "Loss",
    argument: "<p>",
    help: "of --loss ohem: pixels whose label is less probable are hard",
    parse: asNumber,
    sample: ["0.7", 0.7],
  },
  ohemKept: {
    group: "Loss",
    argument: "<n>",
    help: "of --loss ohem: least number of hard pixels in a batch",
    parse: asNumber,
    sample: ["5", 5],
  },
  focalGamma: {
    group: "Loss",
    argument: "<x>",
    help: "of --loss focal: how much less sure pixels count; 0 is the cross-entropy",
    parse: asNumber,
    sample: ["3", 3],
  },
  tverskyAlpha: {
    group: "Loss",
    argument: "<x>",
    help: "of --loss tversky: weight of false positives",
    parse: asNumber,
    sample: ["0.5", 0.5],
  },
  tverskyBeta: {
    group: "Loss",
    argument: "<x>",
    help: "of --loss tversky: weight of missed pixels",
    parse: asNumber,
    sample: ["0.9", 0.9],
  },
  labelSmoothing: {
    group: "Loss",
    argument: "<x>",
    help: "share of the target spread over all classes",
    parse: asNumber,
    sample: ["0.1", 0.1],
  },
  classWeights: {
    group: "Loss",
    argument: "<name|list>",
    help: "weights of the classes in the cross-entropy: a list, background first, such as 1,5, or by a rule; by release rare ones count more, batch by batch",
    parse: asNamesOrNumbers,
    sample: ["release", "release"],
  },
  diceWeight: {
    group: "Loss",
    argument: "<x>",
    help: "weight of soft Dice added to the cross-entropy",
    parse: asNumber,
    sample: ["0.5", 0.5],
  },
} satisfies Partial<OptionTable>;

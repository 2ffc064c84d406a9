import { AUGMENTATIONS, type TrainField } from "../experiment/settings/config.ts";

/** How one field of the training configuration appears on the command line. Its flag is the field's name. */
export interface OptionRow {
  readonly group: "Files" | "Network" | "Data" | "Training" | "Loss" | "Run";
  /** The argument as the help shows it: `<n>`, `[auto]` for one that may be left out, nothing for a switch. */
  readonly argument: string;
  readonly help: string;
  /** The flag's text as a configuration value; its range is checked by the schema, for flags and files alike. */
  readonly parse: (text: string) => unknown;
  /** What an omitted flag means, where the default value alone does not say it. */
  readonly omitted?: string;
}

const text = (value: string): string => value;
/** A number; anything else stays text, which the schema refuses with the flag's name. */
export const number = (value: string): number | string => {
  const parsed = Number(value);
  return value.trim() === "" || Number.isNaN(parsed) ? value : parsed;
};
/** `name=factor` pairs as a map; what has no `=` stays text, which the schema refuses. */
const factors = (value: string): Record<string, number | string> =>
  Object.fromEntries(
    value.split(",").map((item) => {
      const [name = "", factor] = item.split("=").map((side) => side.trim());
      return [name, factor === undefined ? item : number(factor)];
    }),
  );
const list = (value: string): string[] => (value === "none" ? [] : value.split(",").map((item) => item.trim()));

/** A choice of SvANet that a preset makes otherwise. */
const part = (argument: string, help: string, parse: (text: string) => unknown = text) =>
  ({ group: "Network", argument, help: `SvANet's ${help}`, parse, omitted: "the preset's" }) as const;

const onOff = (value: string): boolean | string => (value === "on" ? true : value === "off" ? false : value);

const SVANET_PARTS = {
  neckAttention: part("<kind>", "attention in the MCBottleneck: none | se | mc | cbam | coord"),
  mcSizes: part("<list>", "pooled sizes of Monte Carlo attention, such as 1,2,3", (value) => list(value).map(number)),
  svMode: part("<mode>", "scale-variant attention: none | scale | source | mean | max"),
  link: part("<kind>", "joint of decoder and branch: none | add | concat"),
  formerBefore: part("<on|off>", "AssemFormer in front of the guidance", onOff),
  formerAfter: part("<on|off>", "AssemFormer behind each joint", onOff),
  formerHeads: part("<n>", "AssemFormer: heads of its attention, where that has heads (svanet-text)", number),
  formerGateBefore: part("<kind>", "attention in the AssemFormer in front: none | se | mc | cbam | coord"),
  formerGateAfter: part("<kind>", "attention in the AssemFormer behind: none | se | mc | cbam | coord"),
} as const;

/** Every field of `TrainConfig` on the command line. A field without a row here does not compile. */
export const TRAIN_OPTIONS = {
  data: { group: "Files", argument: "<folder>", help: "dataset folder (train/, val/, mask/)", parse: text },
  out: { group: "Files", argument: "<folder>", help: "run folder to write", parse: text },
  model: { group: "Network", argument: "<name>", help: "network of the zoo (svanet models lists them)", parse: text },
  preset: { group: "Network", argument: "<name>", help: "svanet | svanet-text | svanet-release", parse: text },
  encoder: {
    group: "Network",
    argument: "<name>",
    help: "SvANet's: resnet18 | resnet34 | resnet50 | mini | mini-bottleneck",
    parse: text,
    omitted: "the preset's, resnet50",
  },
  ...SVANET_PARTS,
  width: {
    group: "Network",
    argument: "<n>",
    help: "channels where the network is narrowest, which scale every layer; SvANet's are 64",
    parse: number,
    omitted: "the network's own",
  },
  ablation: {
    group: "Network",
    argument: "<key>",
    help: "switch parts as a row of an ablation table does, such as t4-neck",
    parse: text,
    omitted: "the whole network",
  },
  classes: {
    group: "Network",
    argument: "<n>",
    help: "classes including the background",
    parse: number,
    omitted: "from dataset.yaml, else counted in the masks",
  },
  weights: {
    group: "Network",
    argument: "<file>",
    help: "pretrained weights: .pth, .pt, .safetensors or a checkpoint, of the encoder or the whole network",
    parse: text,
    omitted: "start from random weights",
  },
  partial: {
    group: "Network",
    argument: "",
    help: "allow weights to lack tensors or to have ones that do not fit; all are listed",
    parse: text,
    omitted: "they are an error",
  },
  freezeEpochs: {
    group: "Network",
    argument: "<n>",
    help: "epochs in which the encoder does not train",
    parse: number,
    omitted: "a tenth of the epochs with --weights, else 0",
  },
  encoderRate: {
    group: "Network",
    argument: "<x>",
    help: "the encoder's learning rate over that of the rest; below 1 with --weights",
    parse: number,
  },
  layerDecay: {
    group: "Network",
    argument: "<x>",
    help: "factor of the encoder's learning rate from each depth level to the one before; 1 keeps it the same in all",
    parse: number,
  },
  layerRates: {
    group: "Network",
    argument: "<list>",
    help: "factors of the learning rate by prefix of tensor names, such as encoder.stages.0=0.1,classifier=10; 0 freezes",
    parse: factors,
    omitted: "--encoder-rate and --layer-decay decide",
  },
  size: {
    group: "Data",
    argument: "<n|WxH>",
    help: "size the network trains at, in pixels",
    parse: number,
    omitted: "512; nnunet's is planned for the images",
  },
  augment: {
    group: "Data",
    argument: "<list>",
    help: `random changes, comma-separated: ${AUGMENTATIONS.join(",")}; or none`,
    parse: list,
  },
  foregroundCrops: {
    group: "Data",
    argument: "<share>",
    help: "share of the crops, 0 to 1, placed on an object: small ones are rarely seen otherwise",
    parse: number,
  },
  batchSize: {
    group: "Training",
    argument: "<n>",
    help: "images a step and micro-batch",
    parse: number,
    omitted: "4; nnunet's is planned for the images",
  },
  accumulate: {
    group: "Training",
    argument: "<n>",
    help: "micro-batches whose gradients make one step; batch norm sees one micro-batch",
    parse: number,
  },
  epochs: { group: "Training", argument: "<n>", help: "passes over the training images", parse: number },
  steps: {
    group: "Training",
    argument: "<n>",
    help: "steps to train, instead of --epochs",
    parse: number,
    omitted: "--epochs",
  },
  schedule: {
    group: "Training",
    argument: "<name>",
    help: "learning rate: paper | release | poly | constant",
    parse: text,
  },
  lr: {
    group: "Training",
    argument: "<rate>",
    help: "peak of the schedule",
    parse: number,
    omitted: "the schedule's own",
  },
  optimizer: { group: "Training", argument: "<name>", help: "adamw | sgd", parse: text },
  weightDecay: {
    group: "Training",
    argument: "<x>",
    help: "weight decay: decoupled in AdamW, added to the gradient in SGD, as in PyTorch",
    parse: number,
  },
  betas: {
    group: "Training",
    argument: "<a,b>",
    help: "AdamW's decay of the two moments",
    parse: (value) => list(value).map(number),
  },
  eps: { group: "Training", argument: "<x>", help: "AdamW's epsilon", parse: number },
  momentum: { group: "Training", argument: "<x>", help: "SGD's momentum", parse: number },
  clipNorm: {
    group: "Training",
    argument: "<x>",
    help: "largest norm of all gradients together",
    parse: number,
    omitted: "no clipping",
  },
  loss: {
    group: "Loss",
    argument: "<name>",
    help: "cross-entropy | ohem | structure | bce-dice | published (the network's own; svanet models tells it)",
    parse: text,
  },
  headWeights: {
    group: "Loss",
    argument: "<list>",
    help: "weight of each output in the network's order, such as 1,0.4; 0 leaves one out",
    parse: (value) => list(value).map(number),
    omitted: "the network's own",
  },
  ohemThreshold: {
    group: "Loss",
    argument: "<p>",
    help: "ohem: pixels whose label is less probable are hard",
    parse: number,
  },
  ohemKept: { group: "Loss", argument: "<n>", help: "ohem: least number of hard pixels in a batch", parse: number },
  labelSmoothing: {
    group: "Loss",
    argument: "<x>",
    help: "share of the target spread over all classes",
    parse: number,
  },
  classWeights: {
    group: "Loss",
    argument: "<name>",
    help: "none | release (rare classes count more, per batch)",
    parse: text,
  },
  diceWeight: { group: "Loss", argument: "<x>", help: "weight of soft Dice added to the cross-entropy", parse: number },
  seed: { group: "Run", argument: "<n>", help: "decides every random draw", parse: number },
  evalEvery: { group: "Run", argument: "<epochs>", help: "epochs between validations", parse: number },
  patience: {
    group: "Run",
    argument: "<epochs>",
    help: "stop when validation mIoU has not risen for so many epochs",
    parse: number,
    omitted: "train to the end",
  },
  checkpointEvery: {
    group: "Run",
    argument: "<steps>",
    help: "steps between checkpoints inside an epoch",
    parse: number,
    omitted: "at the end of each epoch",
  },
  workers: {
    group: "Run",
    argument: "<n>",
    help: "threads that decode and augment images; 0 does it in the main thread",
    parse: number,
    omitted: "by the number of cores",
  },
  adapter: { group: "Run", argument: "<name>", help: "part of the GPU's name", parse: text, omitted: "the fastest" },
  resume: {
    group: "Run",
    argument: "[auto]",
    help: "continue the run in --out; auto also starts it where it does not exist yet",
    parse: text,
  },
} as const satisfies Record<TrainField, OptionRow>;

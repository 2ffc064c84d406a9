import type { Command } from "commander";

/** A command line as it is typed, and what it is for. */
type Example = readonly [line: string, meaning: string];

/**
 * Examples by command, for its help and its page of the reference. A test parses each by the real options and asks for one of
 * every command.
 */
export const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  demo: [["svanet demo", "data, a small network, scores and pictures in ./demo, in minutes on a CPU"]],
  plan: [
    ["svanet plan cells", "what a data set is like, and which settings follow from it, with reasons"],
    ["svanet plan cells --memory 24GiB --out plan.yaml", "for a GPU of 24 GiB, to be changed by hand"],
  ],
  train: [
    ["svanet train --data cells --out runs/first", "by the default recipe"],
    ["svanet train --data cells --out runs/planned --recipe auto", "planned for the data, small objects first"],
    ["svanet train --data cells --out runs/second --weights imagenet:resnet50", "from public ImageNet weights"],
    [
      "svanet train --data cells --out runs/small --encoder mini --width 8 --size 128 --steps 800",
      "a small network that a CPU trains",
    ],
    ["svanet train --out runs/first --resume", "goes on where the run ended"],
  ],
  eval: [
    ["svanet eval runs/first", "ten lines: how good, on which sizes, what is missed"],
    ["svanet eval runs/first --split test --full", "all tables, of the test split"],
    ["svanet eval runs/first --recipe paper", "as the paper scores, at the trained size"],
    ["svanet eval runs/first --choose-postprocess", "finds on val which specks are better removed"],
  ],
  predict: [
    ["svanet predict runs/first image.png --out masks", "a mask and an overlay at the image's own size"],
    ["svanet predict runs/first slides --out found --format geojson --tile", "a folder in tiles, for QuPath"],
    ["svanet predict runs/first scan.nii.gz --out masks", "a volume, slice by slice"],
  ],
  "export web": [
    ["svanet export web runs/first --out page", "a folder that any web server shows"],
    [
      "svanet export web runs/first --out page --title Polyps --precision f16 --examples a.png b.png",
      "half the size, with pictures to try",
    ],
  ],
  "serve-page": [["svanet serve-page page", "shows it on this machine alone"]],
  convert: [
    ["svanet convert runs/first --out net.onnx", "for ONNX Runtime"],
    [
      "svanet convert runs/first --out net.safetensors --card --licence CC-BY-4.0",
      "with a model card beside and inside it",
    ],
    [
      "svanet convert PraNet-19.pth --model pranet --classes background,polyp --size 352 --out pranet.safetensors",
      "weights of another program as a checkpoint",
    ],
  ],
  "weights list": [["svanet weights list", "names for --weights, sizes, and which files are here"]],
  "weights verify": [["svanet weights verify", "length and SHA-256 of the files that are here"]],
  "weights add": [
    ["svanet weights add imagenet:resnet50", "fetches it before a machine goes offline"],
    ["svanet weights add imagenet:resnet50 Downloads/resnet50-11ad3fa6.pth", "takes a file that was saved elsewhere"],
  ],
  ablate: [
    [
      "svanet ablate table6 --data cells --out runs/table6 --repeats 3",
      "the variants of the paper's Table VI, three seeds each",
    ],
    ["svanet ablate all --data cells --out runs/tables --dry-run", "every table: runs, parameters, time, memory, disk"],
    [
      'svanet ablate --data cells --out runs/grid --grid "mc-sizes=1,2;1,2,3" --grid "lr=1e-4,5e-5"',
      "every combination of settings",
    ],
  ],
  compare: [
    ["svanet compare --models unet,svanet --data cells polyps --out runs/compared", "two networks on two data sets"],
    [
      "svanet compare --data fives --out runs/fives --select test",
      "the paper's eight networks, chosen as its code does",
    ],
  ],
  cv: [["svanet cv --data cells --out runs/cv --folds 5", "five networks, each scored on what it has not seen"]],
  report: [
    ["svanet report runs/first", "report.html: one file for any browser, without a network"],
    ["svanet report runs/table6 runs/compared --out study.html", "of whole studies, with their tables"],
  ],
  view: [
    ["svanet view runs/first", "the same page, at the address that it prints, while the run trains"],
    ["svanet view runs/table6 --port 8080", "of a whole study, on a port that a tunnel knows"],
  ],
  features: [
    ["svanet features runs/first --list", "the maps that it names"],
    ["svanet features runs/first image.png --at neck.3 guide.0-2 --out maps", "pictures and numbers of two of them"],
  ],
  "bench fps": [["svanet bench fps --model svanet --size 512", "images a second, with what the GPU could do"]],
  "bench train": [["svanet bench train --model unet --size 256 --batch 4", "time and memory of a training step"]],
  "bench profile": [["svanet bench profile --model svanet --size 256 --train", "GPU time of every kernel of a step"]],
  "bench ops": [["svanet bench ops --filter conv", "single ops, each checked first"]],
  "bench start-up": [["svanet bench start-up", "seconds until a first step has been done"]],
  "bench growth": [
    ["svanet bench growth --sizes 128,256,512 --svg growth.svg", "how time and memory grow with the size"],
  ],
  "bench host": [["svanet bench host --train", "what the CPU adds to a step"]],
  "bench loading": [["svanet bench loading --images 64", "how fast images are decoded and augmented"]],
  "run-study": [
    [
      "svanet run-study runs/table6/plan/cells-svanet-8e19cd09-seed0-val-val-trained.json",
      "one run of a study, trained and scored",
    ],
  ],
  models: [
    ["svanet models", "every network beside the paper's figures"],
    ["svanet models --model unet --width 16 --size 256", "one that is narrower and smaller"],
  ],
  parity: [["svanet parity test/fixtures", "golden numbers of float64 PyTorch, in a clone"]],
  doctor: [
    ["svanet doctor", "which GPU answers, and whether it computes right"],
    ["svanet doctor --list", "all adapters there are"],
  ],
  "data prepare": [
    [
      "svanet data prepare auto --from theirs --out cells --preview",
      "what it recognises and why; writes only pictures",
    ],
    ["svanet data prepare auto --from theirs --out cells", "makes the dataset folder"],
    ["svanet data prepare folder --from theirs --out cells --map 254=1", "masks whose values are no class numbers"],
  ],
  completion: [
    ["svanet completion bash > ~/.local/share/bash-completion/completions/svanet", "for bash with bash-completion"],
    ["svanet completion zsh > ~/.zfunc/_svanet", "for zsh, where ~/.zfunc is in fpath"],
    ["svanet completion fish > ~/.config/fish/completions/svanet.fish", "for fish"],
  ],
  "data verify": [["svanet data verify cells", "every problem with its file and cure"]],
  "data stats": [["svanet data stats cells --histogram sizes.svg", "how large the objects are"]],
  "data synth": [["svanet data synth cells --out cells --train 64 --val 16 --size 128", "pictures with exact truth"]],
};

/** Puts the examples of a command, and of those below it, behind its help. */
export function addExamples(command: Command, path: string): void {
  const below = command.commands.map((child) => [child, `${path} ${child.name()}`] as const);
  for (const [child, name] of below) addExamples(child, name);
  const own = EXAMPLES[path] ?? below.flatMap(([, name]) => EXAMPLES[name]?.slice(0, 1) ?? []);
  if (own.length === 0) return;
  const lines = own.map(([line, meaning]) => `  ${line}\n      ${meaning}`);
  command.addHelpText("after", `\n${own.length === 1 ? "Example" : "Examples"}:\n${lines.join("\n")}`);
}

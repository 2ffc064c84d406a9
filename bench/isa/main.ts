/** `npm run bench:isa`: what AMD's compiler makes of a network's kernels and how long they would take on a card. No GPU is used. */
import { Command, Option } from "commander";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { endingOf } from "../../src/cli/failure.ts";
import { addNetworkOptions, type NetworkFlags, networksFrom } from "../../src/cli/networks.ts";
import { note, noteNow, printJson, printLine } from "../../src/cli/print.ts";
import type { Precision } from "../../src/training/passes.ts";
import { CARD_NAMES, CARDS, type CardName } from "./cards.ts";
import { readHotTable, worsened, writeHotTable } from "./hot-table.ts";
import { kernelsOf, RADEON } from "./kernels.ts";
import { findTools, type Tools } from "./machine.ts";
import { byText, compileFor, withLayer } from "./null-device.ts";
import { machineText, reportText } from "./print.ts";
import { reportOf } from "./report.ts";
import { predict } from "./roofline.ts";
import { survey } from "./survey.ts";

interface Flags extends NetworkFlags {
  readonly train?: true;
  readonly batch?: number;
  readonly precision: Precision;
  readonly matrices?: true;
  readonly card: CardName;
  readonly top: number;
  readonly machine?: true;
  readonly out?: string;
  readonly updateTable?: true;
  readonly json?: true;
}

/** The network where none is named. */
const MODEL = "svanet";

const PROGRAM = addNetworkOptions(new Command("bench:isa"), { otherwise: MODEL })
  .description(
    "Compiles a network's kernels by AMD's compiler (Mesa's RADV, no GPU needed) and predicts its time on a card by a roofline model.",
  )
  .option("--train", "a training step instead of inference")
  .option("--batch <n>", "images a run (default: 1, in training 4)", wholeNumber(1))
  .addOption(
    new Option("--precision <name>", "how activations and weights are stored").choices(["f32", "f16"]).default("f32"),
  )
  .option("--matrices", "as for an adapter whose subgroups multiply matrices of f16")
  .addOption(new Option("--card <name>", "the card that the model times").choices(CARD_NAMES).default("4090"))
  .option("--top <n>", "rows of each table", wholeNumber(0), 12)
  .option("--machine", "also print what the compiler made of each kernel")
  .option("--out <folder>", "keep the compiler's listings there")
  .option("--update-table", "write bench/isa/hot-kernels.json anew, with which test:system compares, and nothing else")
  .option("--json", "print the report as one JSON document")
  .exitOverride();

async function run(flags: Flags): Promise<void> {
  const tools = findTools();
  if (flags.updateTable) {
    await updateTable(tools);
    return;
  }
  const card = CARDS[flags.card];
  const train = flags.train === true;
  const batch = flags.batch ?? (train ? 4 : 1);
  const [network] = networksFrom(flags, [MODEL]);
  if (network === undefined) return;
  const { name, config } = network;
  const { precision, matrices = false } = flags;
  const kernels = kernelsOf(config, { batch, train, precision }, { ...RADEON, matrices });
  note(`${name}: ${kernels.length} kernels, compiled for ${card.family} ...`);
  const compilation = await withLayer(tools, flags.out ?? null, (folder) =>
    compileFor(card.family, kernels, { tools, folder }),
  );
  const predictions = predict(kernels, byText(compilation.kernels), card);
  const { top, size, classes } = flags;
  const asked = { model: name, card: flags.card, train, precision, matrices, size, batch, classes, top };
  const report = reportOf(asked, { card, kernels, compilation, predictions });
  if (flags.machine) note(machineText(compilation.kernels));
  if (flags.json) printJson(report);
  else printLine(reportText(report));
}

async function updateTable(tools: Tools): Promise<void> {
  const before = readHotTable();
  const found = await survey(tools);
  for (const one of found) for (const line of worsened(before, one)) note(line);
  const families = Object.fromEntries(found.map(({ family, hot }) => [family, hot]));
  writeHotTable({ compiler: found[0]?.compiler ?? "", families });
  printLine(
    `bench/isa/hot-kernels.json: ${found.map(({ family, hot }) => `${hot.length} kernels for ${family}`).join(", ")}`,
  );
}

try {
  await run(PROGRAM.parse().opts<Flags>());
} catch (error) {
  const { message, exitCode } = endingOf(error, false);
  if (message !== "") noteNow(message);
  process.exitCode = exitCode;
}

import { Command, Option } from "commander";
import { headerLines, headerOf } from "../../src/bench/adapter.ts";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { endingOf } from "../../src/cli/failure.ts";
import { note, noteNow, printJson, printLine } from "../../src/cli/print.ts";
import { milliseconds } from "../../src/cli/units.ts";
import { UsageError } from "../../src/errors.ts";
import { install, isInstalled } from "../peers/install.ts";
import { type Files, NETWORKS, type NetworkName, weightFiles } from "./networks.ts";
import { drawnPicture } from "./picture.ts";
import { type Engine, PICTURE } from "./setting.ts";
import { HERE, ortVersion, pageFiles, serveFiles, sizesOf } from "./site.ts";
import { refusalOf, rowOf, type Turn, tableText, type WebRow } from "./table.ts";
import { browserFacts, visit } from "./visit.ts";

interface Flags {
  readonly network?: readonly NetworkName[];
  readonly turns: number;
  readonly runs: number;
  readonly limit: number;
  readonly json?: true;
}

interface Need {
  readonly variable: string;
}

const { NEEDS, fileOf, systemPlan } = (await import(
  new URL("../../scripts/system-packages.mjs", import.meta.url).href
)) as {
  readonly NEEDS: readonly Need[];
  fileOf(need: Need): string | undefined;
  systemPlan(missing: readonly Need[], machine: object): { readonly text: string };
};

const PROGRAM = new Command("bench:web")
  .description(
    "Times the same network in the same headless Chromium by svanet and by onnxruntime-web's WebGPU, from the address to the mask.",
  )
  .addOption(new Option("--network <name...>", "only these (default: all)").choices(NETWORKS))
  .option("--turns <n>", "visits of each page, in turns, each by a fresh browser", wholeNumber(1), 3)
  .option("--runs <n>", "predictions behind the first of a visit", wholeNumber(1), 10)
  .option("--limit <seconds>", "longest time for one visit", wholeNumber(1), 300)
  .option("--json", "print machine, browser and rows as JSON")
  .exitOverride();

/** Says to openBrowser where Chromium is. UsageError where it is nowhere. */
function findChromium(): void {
  for (const need of NEEDS.filter(({ variable }) => variable === "SVANET_CHROMIUM")) {
    const file = fileOf(need);
    if (!file) throw new UsageError(systemPlan([need], { root: false, apt: false, forbidden: false }).text);
    process.env[need.variable] = file;
  }
}

/** A row of one network, or null where the engines' masks differ. */
async function timeNetwork(
  network: NetworkName,
  files: Files,
  address: string,
  { turns, runs, limit }: Flags,
): Promise<WebRow | null> {
  const done: Turn[] = [];
  const timed = async (engine: Engine) => {
    const times = await visit(address, engine, { network, runs }, limit);
    note(
      `${network}: turn ${done.length + 1} of ${turns}: ${engine}: first mask after ${milliseconds(times.first)} ms`,
    );
    return times;
  };
  while (done.length < turns) {
    const svanet = await timed("svanet");
    done.push({ svanet, "onnxruntime-web": await timed("onnxruntime-web") });
  }
  const refusal = refusalOf(done);
  if (refusal !== null) {
    note(`${network} is not timed: ${refusal}`);
    process.exitCode = 1;
    return null;
  }
  const sizes = {
    svanet: sizesOf(files, "svanet", network),
    "onnxruntime-web": sizesOf(files, "onnxruntime-web", network),
  };
  return rowOf(network, done, sizes);
}

async function run(flags: Flags): Promise<void> {
  findChromium();
  if (!isInstalled(HERE)) install(HERE);
  const networks = NETWORKS.filter((name) => flags.network?.includes(name) ?? true);
  const files: Files = new Map([
    ...(await pageFiles()),
    ...(await weightFiles(networks)),
    [PICTURE, drawnPicture()] as const,
  ]);
  const server = await serveFiles(files);
  try {
    const { adapter } = await browserFacts(server.address);
    const header = headerOf(adapter, `npm run bench:web -- ${process.argv.slice(2).join(" ")}`.trim());
    const peer = `onnxruntime-web ${ortVersion()}`;
    note(`${headerLines(header)}\n${peer}`);
    const rows: WebRow[] = [];
    for (const network of networks) {
      const row = await timeNetwork(network, files, server.address, flags);
      if (row) rows.push(row);
    }
    if (flags.json) printJson({ ...header, peer, rows });
    else if (rows.length > 0) printLine(tableText(rows));
  } finally {
    await server.close();
  }
}

try {
  await run(PROGRAM.parse().opts<Flags>());
} catch (error) {
  const { message, exitCode } = endingOf(error, false);
  if (message !== "") noteNow(message);
  process.exitCode = exitCode;
}

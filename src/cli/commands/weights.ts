import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { CheckpointError } from "../../errors.ts";
import { copyPublished } from "../../weights/published/copy-weights.ts";
import { faultOf, placeOf, type WeightsPlaces, weightsPlaces } from "../../weights/published/find-weights.ts";
import {
  isWholeHash,
  PUBLISHED_FILES,
  type PublishedFile,
  publishedFile,
} from "../../weights/published/published-files.ts";
import { note, printJson, printLine, printTable } from "../print.ts";
import { foundOrFetched } from "../ready-weights.ts";

interface WeightsFlags {
  readonly weightsDir?: string;
  readonly json?: true;
}

/** `svanet weights`: the public files that `--weights imagenet:resnet50` and the like mean. */
export function register(command: Command): void {
  named(command, "list", "names, sizes, what each fills, and whether it is here").action(list);
  named(command, "verify", "length and SHA-256 of what is here, or of the named files")
    .argument("[names...]", "such as imagenet:resnet50 (default: all that are here)")
    .action(verify);
  named(command, "add", "put a published file into the folder, fetched or from a copy of it")
    .argument("<name>", "such as imagenet:resnet50")
    .argument("[file]", "the file, saved elsewhere (default: it is fetched)")
    .action(add);
}

function named(command: Command, name: string, summary: string): Command {
  return command
    .command(name)
    .description(summary)
    .option("--weights-dir <folder>", "folder of the files (default: svanet/weights in the user's caches)")
    .option("--json", "print the result as JSON");
}

const placesOf = ({ weightsDir }: WeightsFlags): WeightsPlaces => weightsPlaces(weightsDir ?? null);

/** How much of a file's SHA-256 is known. */
const checkOf = (file: PublishedFile): string =>
  isWholeHash(file) ? "SHA-256" : `${file.sha256.length} digits of SHA-256`;

function list(flags: WeightsFlags): void {
  const places = placesOf(flags);
  const rows = PUBLISHED_FILES.map((file) => ({
    ...file,
    checked: checkOf(file),
    path: placeOf(file, places) ?? null,
  }));
  if (flags.json) {
    printJson({ folder: places.folder, files: rows });
    return;
  }
  printTable(
    [
      { title: "name", cell: ({ name }) => name },
      { title: "MiB", cell: ({ bytes }) => (bytes === undefined ? "?" : (bytes / 2 ** 20).toFixed(1)), align: "right" },
      { title: "checked by", cell: ({ checked }) => checked },
      { title: "here", cell: ({ path }) => (path === null ? "-" : "yes") },
      { title: "fills", cell: ({ fills }) => fills },
    ],
    rows,
  );
  note(`folder: ${places.folder}; files of PyTorch's cache are used too. --json adds addresses, SHA-256 and paths.`);
  note("What the weights may be used for is said by their publishers and by the data they were trained on.");
}

async function verify(names: readonly string[], flags: WeightsFlags): Promise<void> {
  const places = placesOf(flags);
  const files = names.length === 0 ? PUBLISHED_FILES : names.map((name) => publishedFile(name));
  const rows = [];
  for (const file of files) {
    const path = placeOf(file, places);
    if (path === undefined && names.length === 0) continue;
    const fault = path === undefined ? "is not here" : await faultOf(path, file);
    rows.push({ name: file.name, file: path ?? join(places.folder, file.file), checked: checkOf(file), fault });
  }
  if (flags.json) printJson(rows);
  else if (rows.length === 0) note(`no published weights are in ${places.folder}`);
  else for (const { file, checked, fault } of rows) printLine(`${file}: ${fault ?? `right by ${checked}`}`);
  const wrong = rows.filter(({ fault }) => fault !== null);
  if (wrong.length === 0) return;
  throw new CheckpointError(
    `${wrong.length} of ${rows.length} files are missing or not as published; remove a wrong one; ` +
      `svanet weights add ${wrong[0]?.name} fetches it`,
  );
}

async function add(name: string, from: string | undefined, flags: WeightsFlags): Promise<void> {
  const file = publishedFile(name);
  const { folder } = placesOf(flags);
  const path =
    from === undefined ? await foundOrFetched(file, flags.weightsDir ?? null) : await copied(file, from, folder);
  const { size } = statSync(path);
  if (flags.json) printJson({ name: file.name, file: path, bytes: size, checked: checkOf(file) });
  else
    printLine(
      `${path}  ${(size / 2 ** 20).toFixed(1)} MiB, right by ${checkOf(file)}; use it by --weights ${file.name}`,
    );
}

async function copied(file: PublishedFile, from: string, folder: string): Promise<string> {
  if (!existsSync(from)) throw new CheckpointError(`${from}: there is no such file`);
  return copyPublished(file, from, folder);
}

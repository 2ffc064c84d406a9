import { basename, join } from "node:path";
import type { Command } from "commander";
import { readImageSource } from "../../data/channel-picture.ts";
import { writePng } from "../../data/decode.ts";
import { type ByteImage, drawn } from "../../data/image/image.ts";
import { resize } from "../../data/image/resample.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { UsageError } from "../../errors.ts";
import { readFacts } from "../../experiment/checkpoint/checkpoint.ts";
import { checkpointPath, loadNetwork, runOf } from "../../experiment/checkpoint/load-run.ts";
import { featurePage, type NamedMap } from "../../experiment/predict/feature-page.ts";
import { type FeatureMap, featureMaps, requireTaps, type TapShape, tapsOf } from "../../experiment/predict/features.ts";
import { NpyFile } from "../../experiment/predict/npy-file.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import { requireRegularFile } from "../../files/regular.ts";
import type { Device } from "../../kernels/device/device.ts";
import { wholeNumber } from "../arguments.ts";
import { adapterOption } from "../options.ts";
import { type Column, note, printJson, printLine, printTable } from "../print.ts";
import { withDevice } from "../session.ts";

interface FeaturesFlags {
  readonly at?: readonly string[];
  readonly beside: readonly string[];
  readonly out?: string;
  readonly channels: number;
  readonly list?: true;
  readonly adapter?: string;
  readonly json?: true;
}

/** `svanet features`: what networks compute inside for an image, as pictures and numbers. */
export function register(command: Command): void {
  command
    .argument("<run>", "run folder or checkpoint")
    .argument("[image]", "picture to look at")
    .option("--at <names...>", "maps, such as neck.3 guide.0-2 link.1; --list names all")
    .option("--beside <runs...>", "further runs or checkpoints, a row each, in the colours of the same scale", [])
    .option("--out <folder>", "where to write a PNG for each map and an .npy for each network and map")
    .option("--channels <n>", "channels that are drawn, the first ones; an .npy has all", wholeNumber(1), 8)
    .option("--list", "list the maps that the network names, and do nothing else")
    .addOption(adapterOption())
    .option("--json", "print the list, or the written files with their scales, as JSON")
    .action(features);
}

const TAP_COLUMNS: readonly Column<TapShape>[] = [
  { title: "map", cell: ({ name }) => name },
  { title: "size", align: "right", cell: ({ width, height }) => `${width}x${height}` },
  { title: "channels", align: "right", cell: ({ channels }) => String(channels) },
];

async function features(run: string, image: string | undefined, flags: FeaturesFlags): Promise<void> {
  const paths = [run, ...flags.beside].map((one) => checkpointPath(one));
  if (flags.list) return list(paths[0] ?? "", flags);
  const { at = [], out } = flags;
  if (image === undefined) throw new UsageError("name an image to look at, or --list the maps");
  if (at.length === 0) throw new UsageError("--at: name maps to look at; --list shows them");
  if (out === undefined) throw new UsageError("--out: name a folder to write to");
  for (const one of paths) requireTaps((await readFacts(one)).config, at, one);
  requireRegularFile(image);
  requireWritableFolder(out, `--out ${out}`);
  const written = await withDevice(flags.adapter ?? null, "f32", async (device) => {
    const rows: Row[] = [];
    for (const one of paths) rows.push(await rowOf(device, one, image, at));
    makeFolder(out);
    return writeMaps(out, at, rows, flags.channels);
  });
  if (flags.json) printJson(written);
  for (const { name, file, scale, arrays } of written) {
    if (!flags.json) for (const path of [file, ...arrays]) printLine(path);
    const [low, high] = [scale.low.toPrecision(4), scale.high.toPrecision(4)];
    note(`${name}: colours from ${low} to ${high}, one linear scale for all its maps`);
  }
}

async function list(path: string, { json }: FeaturesFlags): Promise<void> {
  const { config } = await readFacts(path);
  const taps = tapsOf(config);
  if (json) printJson(taps);
  else printTable(TAP_COLUMNS, taps);
  if (taps.length === 0) note(`a ${config.kind} names no maps`);
}

/** A network with what it computes inside. */
interface Row {
  readonly label: string;
  /** The image as it sees it, to be drawn. */
  readonly image: ByteImage;
  readonly maps: readonly FeatureMap[];
}

async function rowOf(device: Device, path: string, file: string, at: readonly string[]): Promise<Row> {
  const { network, checkpoint } = await loadNetwork(device, path);
  const { channels, window, config } = checkpoint.facts;
  try {
    const picture = await readImageSource({ image: file, channels }, { trained: window });
    const maps = await featureMaps(network, checkpoint, picture, at);
    const { width, height } = config;
    return { label: labelOf(path), image: resize(shownInColour(drawn(picture)), { width, height }, "bicubic"), maps };
  } finally {
    network.destroy();
  }
}

/** A run folder's name, else the file's. */
const labelOf = (path: string): string => {
  const run = basename(runOf(path));
  return run === "" || run === "." ? basename(path) : run;
};

/** Writes a page for each map and an array for each network and map. */
async function writeMaps(out: string, names: readonly string[], rows: readonly Row[], channels: number) {
  const written = [];
  for (const [i, name] of names.entries()) {
    const maps = rows.flatMap(({ label, image, maps: own }): NamedMap[] => {
      const map = own[i];
      return map === undefined ? [] : [{ label, image, map }];
    });
    const { page, scale } = featurePage(maps, channels);
    const file = join(out, `${name}.png`);
    await writePng(file, page);
    const arrays = maps.map(({ map }, row) => {
      const array = join(out, rows.length === 1 ? `${name}.npy` : `${name}-${row}.npy`);
      const npy = new NpyFile(array, [map.height, map.width, map.channels]);
      npy.append(map.data);
      npy.finish();
      return array;
    });
    written.push({ name, file, scale, networks: maps.map(({ label }) => label), arrays });
  }
  return written;
}

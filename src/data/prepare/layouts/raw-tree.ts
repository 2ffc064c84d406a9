import { basename, dirname, extname, join, parse } from "node:path/posix";
import { DataError } from "../../../errors.ts";
import { SPLIT_NAMES, type SplitName } from "../../dataset/dataset.ts";
import { list, notThis } from "../raw-folder.ts";
import { readJson } from "./json-file.ts";

/** Folders deeper than this are not looked into. */
const DEEPEST = 6;
/** Annotation files that are opened to recognise a layout: of each folder, and together. */
const MOST_OPENED = 3;
const MOST_TOGETHER = 12;

/** Endings of pictures, masks among them. */
export const PICTURE_ENDINGS: ReadonlySet<string> = new Set([
  ...[".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"],
  ...[".bmp", ".gif"],
]);

/** All names below a raw folder, as paths inside it with "/", numbers in the order of their values. */
export class RawTree {
  readonly raw: string;
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** Paths by file name. */
  readonly #byName = new Map<string, string[]>();
  #samples: Promise<readonly JsonSample[]> | undefined;

  private constructor(raw: string, files: readonly string[], folders: readonly string[]) {
    this.raw = raw;
    this.files = files;
    this.folders = folders;
    for (const file of files) this.#byName.set(basename(file), [...(this.#byName.get(basename(file)) ?? []), file]);
  }

  /** Throws DataError where there is no such folder. */
  static async read(raw: string): Promise<RawTree> {
    if ((await list(raw)) === undefined) throw await notThis(raw, "any layout", "images with their labels, unpacked");
    const [files, folders]: [string[], string[]] = [[], []];
    const walk = async (folder: string, depth: number): Promise<void> => {
      const found = await list(folder === "" ? raw : join(raw, folder));
      files.push(...(found?.files ?? []).map((name) => join(folder, name)));
      for (const name of found?.folders ?? []) {
        folders.push(join(folder, name));
        if (depth < DEEPEST) await walk(join(folder, name), depth + 1);
      }
    };
    await walk("", 0);
    return new RawTree(raw, files, folders);
  }

  /** The path on this machine. */
  path(inside: string): string {
    return join(this.raw, inside);
  }

  /** Pictures, in a folder or below it. */
  pictures(folder = ""): readonly string[] {
    return this.files.filter((file) => isPicture(file) && isBelow(file, folder));
  }

  /** Files of a folder itself whose names end in one of `endings` (lower case). */
  filesIn(folder: string, endings: readonly string[]): readonly string[] {
    const own = this.files.filter((file) => folderOf(file) === folder);
    return own.filter((file) => endings.some((ending) => file.toLowerCase().endsWith(ending)));
  }

  has(folder: string, inner: string): boolean {
    return this.folders.includes(join(folder, inner));
  }

  /** Folders that hold a folder of this name, the raw folder ("") among them. */
  foldersWith(name: string): readonly string[] {
    return this.folders.filter((folder) => basename(folder) === name).map(folderOf);
  }

  /**
   * The file that `name`, a name or a path as an annotation file in the folder `near` has it, stands for: of several the
   * one with the longest part of its path in common with `near`. Undefined where there is none; throws DataError where several
   * are as good.
   */
  named(name: string, near: string, by: string): string | undefined {
    const wanted = name.replaceAll("\\", "/").replace(/^(\.{0,2}\/)+/, "");
    const all = this.#byName.get(basename(wanted)) ?? [];
    const exact = all.filter((file) => `/${file}`.endsWith(`/${wanted}`));
    const candidates = exact.length > 0 ? exact : all;
    const common = (file: string) => commonFolders(folderOf(file), near);
    const most = Math.max(0, ...candidates.map(common));
    const [first, second] = candidates.filter((file) => common(file) === most);
    if (first !== undefined && second !== undefined) {
      throw new DataError(`${this.path(by)}: names ${name}, which may be ${first} or ${second}; write its path`);
    }
    return first;
  }

  /** The first JSON and GeoJSON files of the folders whose names begin with different words, parsed: enough to tell their kind. */
  jsonSamples(): Promise<readonly JsonSample[]> {
    this.#samples ??= this.#openSamples();
    return this.#samples;
  }

  async #openSamples(): Promise<readonly JsonSample[]> {
    const seen = new Map<string, Set<string>>();
    const first = this.files.filter((file) => {
      if (!/\.(geo)?json$/i.test(file)) return false;
      const words = seen.get(folderOf(file)) ?? new Set();
      const word = /^[a-z]*/i.exec(basename(file))?.[0] ?? "";
      if (words.has(word) || words.size === MOST_OPENED) return false;
      seen.set(folderOf(file), words.add(word));
      return true;
    });
    const open = async (file: string): Promise<JsonSample> => {
      try {
        return { file, value: await readJson(this.path(file)), fault: undefined };
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        return { file, value: undefined, fault: error.message };
      }
    };
    return Promise.all(first.slice(0, MOST_TOGETHER).map(open));
  }
}

/** A JSON file, or why it is none. */
export interface JsonSample {
  readonly file: string;
  readonly value: unknown;
  readonly fault: string | undefined;
}

const isPicture = (file: string) => PICTURE_ENDINGS.has(extname(file).toLowerCase());
const isBelow = (file: string, folder: string) => folder === "" || file.startsWith(`${folder}/`);

/** The folder of a path inside the raw folder; "" is the raw folder. */
export function folderOf(file: string): string {
  const folder = dirname(file);
  return folder === "." ? "" : folder;
}

/** A file's name without its ending; `.nii.gz` is one ending. */
export const stemOf = (file: string): string => parse(file).name.replace(/\.nii$/i, "");

function commonFolders(a: string, b: string): number {
  const [first, second] = [a.split("/"), b.split("/")];
  const differ = first.findIndex((name, at) => name !== second[at]);
  return differ < 0 ? first.length : differ;
}

const SPLIT_WORDS: Readonly<Record<string, SplitName>> = {
  ...{ train: "train", training: "train", val: "val", valid: "val", validation: "val", test: "test", testing: "test" },
};

/** The split that a path tells by one of its folders or, as `instances_train2017.json`, in its name. */
export function splitOfPath(file: string): SplitName | undefined {
  const folders = folderOf(file).toLowerCase().split("/").reverse();
  for (const folder of folders) {
    const split = SPLIT_WORDS[folder.replace(/\d{4}$/, "")];
    if (split !== undefined) return split;
  }
  const words = parse(file)
    .name.toLowerCase()
    .split(/[^a-z]+/);
  return SPLIT_NAMES.find((split) => words.some((word) => SPLIT_WORDS[word] === split));
}

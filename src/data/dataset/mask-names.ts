import { join, parse } from "node:path";
import { EXACT_MASK_ENDINGS, MASK_ENDINGS, MASK_SUFFIX } from "../masks/read-mask.ts";
import { type Problem, problem } from "./problems.ts";

const isExact = (name: string) => EXACT_MASK_ENDINGS.includes(parse(name).ext.toLowerCase());
const isRead = (name: string) => MASK_ENDINGS.includes(parse(name).ext.toLowerCase());
/** The image that a mask's name points to, loosely: letter case and what stands behind do not matter. */
const pointsTo = (name: string) => parse(name).name.replace(MASK_SUFFIX, "").toLowerCase();

/** The files in a dataset folder's mask/. */
export class MaskFolder {
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #used = new Set<string>();
  readonly #byStem: ReadonlyMap<string, readonly string[]>;
  readonly #byHint: ReadonlyMap<string, readonly string[]>;

  /** `names`: the files in `<folder>/mask`. */
  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names;
    this.#byStem = grouped(names.filter(isExact), (name) => parse(name).name);
    this.#byHint = grouped(names, pointsTo);
  }

  /** Whether a mask is named as an image of that stem. */
  has(stem: string): boolean {
    return this.#byStem.has(stem);
  }

  /**
   * The mask of an image: `<stem>.png`, else a PNG or TIFF of that stem however its ending is written; or what is wrong,
   * naming the file that seems to be meant and what reads it.
   */
  maskOf(stem: string, image: string): { readonly mask: string } | { readonly problem: Problem } {
    const usual = `${stem}.png`;
    const found = this.#byStem.get(stem) ?? [];
    const mask = found.includes(usual) ? usual : found[0];
    const path = (name: string) => join(this.#folder, "mask", name);
    if (mask !== undefined && (mask === usual || found.length === 1)) {
      this.#used.add(mask);
      return { mask: path(mask) };
    }
    const near = mask === undefined ? (this.#byHint.get(stem.toLowerCase().replace(MASK_SUFFIX, "")) ?? []) : found;
    for (const name of near) this.#used.add(name);
    const [first] = near;
    if (first === undefined) return { problem: problem("unpaired", image, "has no mask", `expected ${path(usual)}`) };
    if (near.length > 1) {
      const what = `which file is its mask is not clear: ${near.map(path).join(", ")}`;
      return { problem: problem("unpaired", image, what, `name the one that is meant ${usual}`) };
    }
    const what = `its mask is not named or stored as masks of a dataset folder are: ${path(first)}`;
    return { problem: problem("unpaired", image, what, this.#cureFor(first, stem)) };
  }

  /** What makes the file `name` a mask of `stem`. */
  #cureFor(name: string, stem: string): string {
    const { name: own, ext } = parse(name);
    const inFolder = (called: string) => join(this.#folder, "mask", called);
    if (isExact(name)) return `name it ${inFolder(`${stem}${ext}`)}`;
    if (!isRead(name)) return `export it as PNG, ${inFolder(`${stem}.png`)}`;
    const misnamed = own.replace(MASK_SUFFIX, "") === stem ? "" : `, once it is named ${stem}${ext}`;
    return `svanet data prepare folder --from ${this.#folder} --out NEW-FOLDER reads it${misnamed}`;
  }

  /** Names that no image asked for. */
  unused(): string[] {
    return this.#names.filter((name) => !this.#used.has(name));
  }
}

function grouped(names: readonly string[], key: (name: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) groups.set(key(name), [...(groups.get(key(name)) ?? []), name]);
  return groups;
}

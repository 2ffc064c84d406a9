import { basename } from "node:path";
import type { ReportImage } from "./data.ts";
import { samplesOf, thumbnails } from "./thumbnails.ts";

/** Short names for the data sets' folders: their last part, and the whole path where two share that. */
export class SetNames {
  readonly #folders = new Map<string, string>();

  /** Of the folders, absolute, that something was evaluated on. */
  constructor(folders: Iterable<string>) {
    for (const folder of folders) {
      const short = basename(folder);
      const taken = this.#folders.get(short);
      this.#folders.set(taken === undefined || taken === folder ? short : folder, folder);
    }
  }

  nameOf(folder: string): string {
    const short = basename(folder);
    return this.#folders.get(short) === folder ? short : folder;
  }

  folderOf(name: string): string {
    return this.#folders.get(name) ?? name;
  }
}

/** The images of all evaluations, each once. */
export class ImageList {
  readonly all: ReportImage[] = [];
  readonly #places = new Map<string, number>();

  /** The place of an image in the list, at the end of which it is put where it was not in yet. */
  indexOf(image: Omit<ReportImage, "thumbnail">): number {
    const key = JSON.stringify([image.set, image.split, image.name]);
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.all.length);
    return this.all.push({ ...image, thumbnail: null }) - 1;
  }

  /** Reads every image for a small picture of it; what cannot be read stays without one, and is told once a data set. */
  async addThumbnails(sets: SetNames, note: (sentence: string) => void): Promise<void> {
    for (const set of new Set(this.all.map((image) => image.set))) {
      const samples = await samplesOf(sets.folderOf(set), note);
      const places = [...this.all.keys()].filter((at) => this.all[at]?.set === set);
      const found = await thumbnails(
        places.map((at) => samples.get(this.all[at]?.name ?? "")),
        note,
      );
      for (const [i, at] of places.entries()) {
        const image = this.all[at];
        if (image !== undefined) this.all[at] = { ...image, thumbnail: found[i] ?? null };
      }
    }
  }
}

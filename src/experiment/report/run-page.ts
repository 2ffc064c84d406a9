import { existsSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../../files/atomic.ts";
import { collectReport } from "./collect.ts";
import { renderReport } from "./render.ts";

/** The page that a run folder holds: what `svanet report` makes of the run alone, without pictures. */
export const runPagePath = (folder: string): string => join(folder, "report.html");

/** A page is written anew only after this many times the time that the last writing took: a twentieth of a run at most. */
const REST = 20;

/** Keeps the pages of runs while they train. Nothing that fails here is the concern of a training. */
export class RunPages {
  readonly #note: (text: string) => void;
  readonly #now: () => number;
  readonly #write: (folder: string) => Promise<void>;
  #failed = false;
  /** When a page may be written again, by `now`. */
  #next = 0;

  /** `note` is told once of pages that could not be written; `now` counts milliseconds. */
  constructor(note: (text: string) => void, now = () => performance.now(), write = writeRunPage) {
    this.#note = note;
    this.#now = now;
    this.#write = write;
  }

  /** Writes the page of a run in training, unless the last one is too young for what it took. */
  async update(folder: string): Promise<void> {
    if (this.#now() >= this.#next) await this.#tryTo(folder);
  }

  /** Writes the page of a run that has ended, and says where it is. */
  async finish(folder: string): Promise<void> {
    await this.#tryTo(folder);
    if (existsSync(runPagePath(folder))) this.#note(`see ${runPagePath(folder)}`);
  }

  async #tryTo(folder: string): Promise<void> {
    const began = this.#now();
    try {
      await this.#write(folder);
    } catch (error) {
      if (!this.#failed) this.#note(`${runPagePath(folder)} could not be written (${String(error)}); the run goes on`);
      this.#failed = true;
    }
    const ended = this.#now();
    this.#next = ended + REST * (ended - began);
  }
}

/** Writes the page, whole or not at all, without waiting for the disk: the next one replaces it. */
async function writeRunPage(folder: string): Promise<void> {
  const page = await renderReport(await collectReport([folder]));
  await replaceFile(runPagePath(folder), page);
}

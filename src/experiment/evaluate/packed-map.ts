import type { LabelMap } from "./overlay.ts";

/** A label map as runs of equal labels: what stays of many maps until the few that are drawn are chosen. */
export class PackedMap {
  readonly width: number;
  readonly height: number;
  readonly #labels: Uint8Array;
  readonly #lengths: Uint32Array;

  /** Labels are 0 to 255. */
  constructor({ width, height, data }: LabelMap) {
    this.width = width;
    this.height = height;
    const [labels, lengths]: [number[], number[]] = [[], []];
    for (let from = 0; from < data.length; ) {
      let to = from + 1;
      while (to < data.length && data[to] === data[from]) to++;
      labels.push(data[from] ?? 0);
      lengths.push(to - from);
      from = to;
    }
    this.#labels = Uint8Array.from(labels);
    this.#lengths = Uint32Array.from(lengths);
  }

  unpack(): LabelMap {
    const data = new Uint8Array(this.width * this.height);
    let at = 0;
    for (const [run, label] of this.#labels.entries()) {
      const end = at + (this.#lengths[run] ?? 0);
      data.fill(label, at, end);
      at = end;
    }
    return { width: this.width, height: this.height, data };
  }
}

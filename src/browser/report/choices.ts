import { element } from "../dom.ts";

/** What the reader has chosen, by name: it outlives updates of the data. */
export class Choices {
  readonly #chosen = new Map<string, string>();
  readonly #changed: () => void;

  /** `changed` is called when something was chosen. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The chosen one of some options, else the first. */
  of(name: string, options: readonly string[]): string | undefined {
    const chosen = this.#chosen.get(name);
    return chosen !== undefined && options.includes(chosen) ? chosen : options[0];
  }

  /** A labelled box to choose by. */
  select(name: string, label: string, options: readonly string[]): HTMLElement {
    const chosen = this.of(name, options);
    const choose = (event: Event) => {
      this.#chosen.set(name, (event.target as HTMLSelectElement).value);
      this.#changed();
    };
    const items = options.map((value) =>
      element("option", { attributes: { value, selected: value === chosen } }, value),
    );
    const box = element("select", { attributes: { id: `choose-${name}` }, on: { change: choose } }, ...items);
    return element("label", { attributes: { class: "choice" } }, `${label} `, box);
  }
}

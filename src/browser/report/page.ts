import { setsOf } from "../../experiment/report/charts/groups.ts";
import type { ReportData } from "../../experiment/report/data.ts";
import { element } from "../dom.ts";
import { Choices } from "./choices.ts";
import { redrawPlots } from "./plot.ts";
import type { Shown } from "./section.ts";
import { SECTIONS } from "./sections.ts";

/** The page: a heading, a table of contents and the sections, of which an update replaces those that changed. */
export class Page {
  readonly #root: HTMLElement;
  readonly #choices = new Choices(() => this.#draw());
  readonly #made = new Map<string, { key: string; body: HTMLElement }>();
  #data: ReportData | undefined;

  constructor(root: HTMLElement) {
    this.#root = root;
    let width = window.innerWidth;
    let waiting = 0;
    window.addEventListener("resize", () => {
      if (window.innerWidth === width) return; // a phone's address bar changes the height alone
      width = window.innerWidth;
      window.clearTimeout(waiting);
      waiting = window.setTimeout(redrawPlots, 150);
    });
  }

  /** Shows other data; what the reader has chosen, sorted and opened stays where it still exists. */
  show(data: ReportData): void {
    this.#data = data;
    document.title = `${data.title} – svanet report`;
    this.#draw();
  }

  #draw(): void {
    const data = this.#data;
    if (data === undefined) return;
    const focused = document.activeElement?.id;
    const sets = setsOf(data);
    const set = this.#choices.of("set", sets);
    const shown: Shown = { data, set, choices: this.#choices };
    if (this.#made.size === 0) this.#root.replaceChildren(element("header"), contents(), ...this.#frames());
    this.#root.querySelector("header")?.replaceWith(heading(shown, sets));
    for (const { id, key, build } of SECTIONS) {
      const made = this.#made.get(id);
      const now = JSON.stringify(key(shown));
      if (made === undefined || made.key === now) continue;
      made.key = now;
      made.body.replaceChildren(...build(shown));
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  /** A section each, still empty. */
  #frames(): HTMLElement[] {
    return SECTIONS.map(({ id, title }) => {
      const body = element("div");
      this.#made.set(id, { key: "", body });
      const attributes = { id, "aria-labelledby": `${id}-title` };
      return element("section", { attributes }, element("h2", { attributes: { id: `${id}-title` } }, title), body);
    });
  }
}

function heading({ data, choices }: Shown, sets: readonly string[]): HTMLElement {
  const { title, made, program, runs, notes } = data;
  const when = made.slice(0, 16).replace("T", " ");
  const about = `${runs.length} ${runs.length === 1 ? "run" : "runs"}, collected ${when} UTC by ${program}`;
  const choice = sets.length > 1 ? [choices.select("set", "Data set", sets)] : [];
  const told = notes.length === 0 ? [] : [listed(notes)];
  return element("header", {}, element("h1", {}, title), element("p", {}, about), ...choice, ...told);
}

function listed(notes: readonly string[]): HTMLElement {
  const summary = element(
    "summary",
    {},
    `${notes.length} ${notes.length === 1 ? "note" : "notes"} on what could not be read`,
  );
  const items = notes.map((note) => element("li", {}, note));
  return element("details", {}, summary, element("ul", {}, ...items));
}

function contents(): HTMLElement {
  const links = SECTIONS.map(({ id, title }) =>
    element("li", {}, element("a", { attributes: { href: `#${id}` } }, title)),
  );
  return element("nav", { attributes: { "aria-label": "Contents" } }, element("ul", {}, ...links));
}

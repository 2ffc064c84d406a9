import type { ReportCell, ReportTable } from "../../experiment/report/data.ts";
import { element } from "../dom.ts";
import { FORMATS } from "./copy.ts";

/** A cell that may show a picture in front of its text. */
export interface PictureCell extends ReportCell {
  readonly picture?: string | null;
}

/** A table of a page. */
export interface PageTable extends Omit<ReportTable, "rows"> {
  readonly rows: readonly (readonly PictureCell[])[];
}

/** How a reader has left a table: it outlives updates of the data. */
interface Left {
  readonly column: number | null;
  readonly down: boolean;
  readonly page: number;
}

const left = new Map<string, Left>();
/** Rows that are shown at a time; a few more are shown all. */
const PAGE = 25;
const WITHOUT_PAGES = 40;

/** A table that sorts by its headings, shows long lists page by page, and is copied for LaTeX, spreadsheets and Markdown. */
export function tableView(id: string, table: PageTable): HTMLElement {
  const { title, caption, notes } = table;
  const sorting = new SortedTable(id, table);
  const named = element("b", { attributes: { id: `${id}-title` } }, `${title}. `);
  const attributes = { "aria-labelledby": `${id}-title` };
  const grid = element("table", { attributes }, element("thead", {}, sorting.head), sorting.body);
  const region = { class: "scrolled", tabindex: 0, role: "region", ...attributes };
  const items = notes.map((note) => element("li", {}, note));
  return element(
    "div",
    { attributes: { class: "table", id } },
    element("p", { attributes: { class: "caption" } }, named, caption),
    element("div", { attributes: region }, grid),
    sorting.pager,
    copyButtons(() => sorting.sorted()),
    ...(items.length === 0 ? [] : [element("ul", { attributes: { class: "notes" } }, ...items)]),
  );
}

/** The moving parts of a table. */
class SortedTable {
  readonly head = element("tr");
  readonly body = element("tbody");
  readonly pager = element("div", { attributes: { class: "pager" } });
  readonly #id: string;
  readonly #table: PageTable;

  constructor(id: string, table: PageTable) {
    this.#id = id;
    this.#table = table;
    this.#draw();
  }

  /** The whole table in the order that is shown. */
  sorted(): PageTable {
    return { ...this.#table, rows: sortedRows(this.#table, this.#left) };
  }

  get #left(): Left {
    return left.get(this.#id) ?? { column: null, down: false, page: 0 };
  }

  #draw(): void {
    const { rows } = this.sorted();
    const pages = rows.length <= WITHOUT_PAGES ? 1 : Math.ceil(rows.length / PAGE);
    const page = Math.min(this.#left.page, pages - 1);
    const shown = pages === 1 ? rows : rows.slice(page * PAGE, (page + 1) * PAGE);
    this.head.replaceChildren(...this.#table.columns.map((column, i) => this.#heading(column, i)));
    this.body.replaceChildren(
      ...shown.map((row) => element("tr", {}, ...row.map((cell, i) => cellView(cell, i, this.#table)))),
    );
    if (pages === 1) return;
    const place = `${page * PAGE + 1}–${page * PAGE + shown.length} of ${rows.length}`;
    this.pager.replaceChildren(
      this.#button("Previous", { page: page - 1 }, page === 0),
      element("span", { attributes: { role: "status" } }, place),
      this.#button("Next", { page: page + 1 }, page === pages - 1),
    );
  }

  #heading({ title, align }: PageTable["columns"][number], column: number): HTMLElement {
    const state = this.#left;
    const isSorted = state.column === column;
    const order = !isSorted ? undefined : state.down ? "descending" : "ascending";
    const button = this.#button(title, { column, down: isSorted && !state.down, page: 0 }, false, `sort-${column}`);
    return element("th", { attributes: { scope: "col", class: align, "aria-sort": order } }, button);
  }

  /** A button that shows the table otherwise, and keeps the focus. */
  #button(label: string, change: Partial<Left>, disabled: boolean, name = label): HTMLElement {
    const id = `${this.#id}-${name}`;
    const click = () => {
      left.set(this.#id, { ...this.#left, ...change });
      this.#draw();
      document.getElementById(id)?.focus();
    };
    return element("button", { attributes: { id, type: "button", disabled }, on: { click } }, label);
  }
}

function cellView({ text, bold, picture }: PictureCell, column: number, { columns }: PageTable): HTMLElement {
  const content = bold ? element("b", {}, text) : text;
  const image = picture ? [element("img", { attributes: { src: picture, alt: "" } })] : [];
  const attributes = { class: columns[column]?.align };
  if (column > 0) return element("td", { attributes }, ...image, content);
  return element("th", { attributes: { ...attributes, scope: "row" } }, ...image, content);
}

/** By the first number of each cell, or by letters where one has none; rows without anything to compare stay last. */
function sortedRows({ rows }: PageTable, { column, down }: Left): PageTable["rows"] {
  if (column === null) return rows;
  const texts = rows.map((row) => row[column]?.text ?? "");
  const isEmpty = (text: string) => text === "" || text === "–" || text === "-";
  const isNumeric = texts.every((text) => isEmpty(text) || numberIn(text) !== null);
  const compare = (a: string, b: string) =>
    isNumeric ? (numberIn(a) ?? 0) - (numberIn(b) ?? 0) : a.localeCompare(b, "en", { numeric: true });
  const keyed = rows.map((row, i) => ({ row, text: texts[i] ?? "" }));
  keyed.sort((a, b) => {
    const order = Number(isEmpty(a.text)) - Number(isEmpty(b.text));
    return order === 0 ? (down ? -1 : 1) * compare(a.text, b.text) : order;
  });
  return keyed.map(({ row }) => row);
}

/** The number that a cell begins with; null where it begins otherwise. */
function numberIn(text: string): number | null {
  const found = /^[<>≥≤\s]*([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)/i.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

/** Buttons that copy the table as it stands. */
function copyButtons(table: () => PageTable): HTMLElement {
  const status = element("span", { attributes: { role: "status" } });
  const shown = element("textarea", {
    attributes: { readonly: true, hidden: true, rows: 6, "aria-label": "table as text" },
  });
  const copy = async (name: string, format: (table: PageTable) => string) => {
    const text = format(table());
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = `copied as ${name}`;
    } catch {
      // Some browsers keep the clipboard from files on disk: then the text is there to be taken.
      shown.hidden = false;
      shown.value = text;
      shown.select();
      status.textContent = `the browser keeps its clipboard: take the text below as ${name}`;
    }
  };
  const buttons = Object.entries(FORMATS).map(([name, format]) =>
    element("button", { attributes: { type: "button" }, on: { click: () => void copy(name, format) } }, name),
  );
  return element("div", { attributes: { class: "copy" } }, element("span", {}, "Copy as "), ...buttons, status, shown);
}

import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import type { MeasuredObject } from "../../objects/measure.ts";
import { byId, element } from "../dom.ts";
import { button } from "./parts.ts";
import { type Result, summaryOf } from "./results.ts";
import { LEAST_PROBABILITY, PROBABILITY_COLOURS } from "./tints.ts";

/** Lines of the table at most; the CSV file has all. */
const MOST_ROWS = 300;

interface Column {
  readonly title: string;
  readonly text?: true;
  cell(object: MeasuredObject): string;
}

const figure = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? "-" : value.toPrecision(3);

/** Area and length in millimetres where the file tells, beside the pixels that are always known. */
function columnsOf({ objects }: Result, { classes }: CheckpointFacts): Column[] {
  const inMillimetres = objects.some(({ millimetres }) => millimetres !== undefined);
  return [
    { title: "class", text: true, cell: (object) => classes[object.class] ?? `class ${object.class}` },
    { title: "area, px", cell: ({ shape }) => shape.area.toLocaleString("en") },
    ...(inMillimetres ? [{ title: "mm²", cell: ({ millimetres }: MeasuredObject) => figure(millimetres?.area) }] : []),
    inMillimetres
      ? { title: "length, mm", cell: ({ millimetres }) => figure(millimetres?.feretMax) }
      : { title: "length, px", cell: ({ shape }) => figure(shape.feretMax) },
    { title: "probability", cell: ({ probability }) => `${(100 * (probability ?? 0)).toFixed(0)} %` },
  ];
}

/** Fills the numbers beside the image; `look` is called with an object that is chosen. */
export function showNumbers(result: Result, facts: CheckpointFacts, look: (object: MeasuredObject) => void): void {
  const { objects } = result;
  byId("summary").textContent = summaryOf(result);
  const columns = columnsOf(result, facts);
  const heads = columns.map((column) => element("th", headOf(column), column.title));
  byId("columns").replaceChildren(element("tr", {}, element("th", { attributes: { scope: "col" } }, "#"), ...heads));
  const rows = objects.slice(0, MOST_ROWS).map((object, index) => {
    const row = element("tr", { on: { click: () => choose(row, () => look(object)) } });
    const label = `Look at object ${index + 1}`;
    row.append(
      element("td", {}, element("button", { attributes: { type: "button", "aria-label": label } }, index + 1)),
      ...columns.map((column) => element("td", { attributes: classOf(column) }, column.cell(object))),
    );
    return row;
  });
  byId("objects").replaceChildren(...rows);
  const hidden = objects.length - rows.length;
  byId("more").textContent = hidden > 0 ? `and ${hidden} smaller ones, which the CSV file holds` : "";
  button("save-table").disabled = objects.length === 0;
}

const classOf = ({ text }: Column) => (text ? { class: "text" } : {});
const headOf = (column: Column) => ({ attributes: { scope: "col", ...classOf(column) } });

function choose(row: HTMLElement, look: () => void): void {
  for (const other of row.parentElement?.children ?? []) other.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  look();
}

/** What the overlay's colours mean: the classes, with how many objects each has, or probabilities. */
export function showLegend(result: Result, { classes, colours }: CheckpointFacts, by: "classes" | "certainty"): void {
  const percent = [`${100 * LEAST_PROBABILITY} % and less`, "100 %"];
  const entries =
    by === "certainty"
      ? PROBABILITY_COLOURS.map((colour, at) => ({ text: percent[at] ?? "", colour }))
      : classes.slice(1).map((name, at) => ({
          text: `${name}: ${result.objects.filter((object) => object.class === at + 1).length}`,
          colour: colours[at + 1] ?? ([255, 255, 255] as const),
        }));
  const items = entries.map(({ text, colour }) => {
    const swatch = element("span", { attributes: { class: "swatch" } });
    swatch.style.background = `rgb(${colour.join(" ")})`;
    return element("li", {}, swatch, text);
  });
  byId("legend").replaceChildren(...items);
}

import { type Item, parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile } from "vega-lite";
import { isChart } from "../../experiment/report/charts/all.ts";
import type { Absent, Chart, Drawing } from "../../experiment/report/charts/chart.ts";
import { element } from "../dom.ts";
import { tableView } from "./table-view.ts";

/** A chart for a width and a colour of letters, or the sentence that stands for it. */
export type Draw = (drawing: Drawing) => Chart | Absent;

/** What appears beside the pointer over a mark; undefined: nothing. */
export type Hover = (datum: Readonly<Record<string, unknown>>) => HTMLElement | undefined;

/** Charts that stand on the page: what draws each anew. */
const drawn = new Map<HTMLElement, () => void>();
/** Of a figure that is not laid out yet. */
const USUAL_WIDTH = 640;

/** Draws every chart again, for another width of the page. */
export function redrawPlots(): void {
  for (const [plot, draw] of drawn) {
    if (plot.isConnected) draw();
    else drawn.delete(plot);
  }
}

/** A figure with a chart, what it shows, and its numbers; or a sentence on what makes it. */
export function plotView(draw: Draw, hover?: Hover): HTMLElement {
  const first = draw({ width: USUAL_WIDTH, ink: "currentColor" });
  if (!isChart(first)) return element("p", { attributes: { class: "absent" } }, first.absent);
  // Vega makes a document of its container; a reader of screens is better served by a picture with a name and a table.
  const container = element("div");
  const plot = element("div", { attributes: { class: "plot", role: "img", "aria-label": first.title } }, container);
  const redraw = () => {
    const chart = draw({ width: plot.clientWidth || USUAL_WIDTH, ink: "currentColor" });
    if (isChart(chart)) drawInto(container, chart, hover);
  };
  drawn.set(plot, redraw);
  queueMicrotask(redraw); // when it stands on the page and has a width
  return element(
    "figure",
    { attributes: { id: first.id } },
    plot,
    element("figcaption", {}, element("b", {}, `${first.title}. `), first.caption),
    numbers(first),
  );
}

/** The chart's numbers as a table, made when somebody opens it. */
function numbers({ id, title, table }: Chart): HTMLElement {
  const open = (event: Event) => {
    const details = event.target as HTMLDetailsElement;
    if (details.open && details.childElementCount === 1) details.append(tableView(`${id}-table`, { ...table, title }));
  };
  return element("details", { on: { toggle: open } }, element("summary", {}, "The numbers"));
}

const views = new WeakMap<HTMLElement, View>();

function drawInto(container: HTMLElement, { spec, title }: Chart, hover: Hover | undefined): void {
  views.get(container)?.finalize();
  const view = new View(parse(compile(spec).spec, {}, { ast: true }), {
    expr: expressionInterpreter,
    renderer: "svg",
    container,
    loader: { load: () => Promise.reject(new Error("a report loads nothing")) } as never,
  });
  views.set(container, view);
  view.description(title);
  view.tooltip((_handler: unknown, event: Event, item: Item | null) => {
    const content = item && hover?.((item.datum ?? {}) as Record<string, unknown>);
    showBeside(event as MouseEvent, content ?? undefined);
  });
  view.run();
}

/** The box beside the pointer, one for the page. */
const beside = element("div", { attributes: { class: "beside", hidden: true } });
/** Pixels between pointer and box. */
const GAP = 14;

function showBeside(event: MouseEvent, content: HTMLElement | undefined): void {
  beside.hidden = content === undefined;
  if (content === undefined) return;
  if (!beside.isConnected) document.body.append(beside);
  beside.replaceChildren(content);
  const { width, height } = beside.getBoundingClientRect();
  const fits = (at: number, size: number, room: number) => (at + GAP + size < room ? at + GAP : at - GAP - size);
  beside.style.left = `${Math.max(0, fits(event.clientX, width, window.innerWidth))}px`;
  beside.style.top = `${Math.max(0, fits(event.clientY, height, window.innerHeight))}px`;
}

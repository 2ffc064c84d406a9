import { figure } from "../../../experiment/report/charts/chart.ts";
import type { GridReason, GridRow, PictureGrid, ZoomedPicture } from "../../../experiment/report/data.ts";
import { element } from "../../dom.ts";
import { absent, type Section } from "../section.ts";

/** Images with their truth and what each network finds in them: the paper's Figures 8 and 9. */
export const gridsSection: Section = {
  id: "grids",
  title: "What the networks see",
  key: ({ data, set }) => [
    set,
    data.grids.map(({ set, networks, rows }) => [set, networks, rows.map(({ name }) => name)]),
  ],
  build: ({ data, set }) => {
    const grids = data.grids.filter((grid) => grid.set === set);
    if (grids.length > 0) return grids.map(gridView);
    return [absent("No image was segmented for this page: svanet report does it, unless it is told --no-pictures.")];
  },
};

/** Why an image is there. */
const REASONS: Readonly<Record<GridReason, string>> = {
  worst: "worst",
  smallest: "smallest objects",
  median: "median",
  best: "best",
  named: "as named",
};

function gridView({ set, split, networks, rows }: PictureGrid): HTMLElement {
  const titles = ["image", "truth", ...networks.map(({ group }) => group)];
  const head = element("tr", {}, ...titles.map((title) => element("th", { attributes: { scope: "col" } }, title)));
  const caption = element(
    "p",
    { attributes: { class: "caption" } },
    `Images of ${set}, split ${split}, with the classes of the mask and what each network finds: hit light blue, missed ` +
      "vermilion, wrongly found yellow, of another class dark blue. Below each, enlarged, the square that holds most of the " +
      `pixels that are wrong in some network. Of each network the run of middle foreground Dice: ${networks.map(({ run }) => run).join(", ")}.`,
  );
  const body = rows.flatMap(rowsOf);
  const table = element(
    "table",
    { attributes: { class: "grid" } },
    element("thead", {}, head),
    element("tbody", {}, ...body),
  );
  const region = { class: "scrolled", tabindex: 0, role: "region", "aria-label": `Pictures of ${set}` };
  return element("div", {}, caption, element("div", { attributes: region }, table));
}

function rowsOf({ name, reason, share, image, truth, networks }: GridRow): HTMLElement[] {
  const about = `${name}: ${REASONS[reason]}, largest object ${figure(share, 3)} %`;
  const cells = [
    { ...image, text: "" },
    { ...truth, text: "" },
    ...networks.map((one) => ({ ...one, text: `Dice ${figure(one.dice)} %` })),
  ];
  return [
    element("tr", {}, element("th", { attributes: { scope: "rowgroup", colspan: cells.length } }, about)),
    element("tr", {}, ...cells.map(pictureCell)),
  ];
}

function pictureCell({ whole, zoomed, text }: ZoomedPicture & { readonly text: string }): HTMLElement {
  const picture = (src: string, alt: string) => element("img", { attributes: { src, alt } });
  return element("td", {}, picture(whole, text), picture(zoomed, "enlarged"), element("span", {}, text));
}

import { confusionChart } from "../../experiment/report/charts/confusion.ts";
import { evaluatedRuns } from "../../experiment/report/charts/groups.ts";
import { learningCurves } from "../../experiment/report/charts/learning.ts";
import { rocChart } from "../../experiment/report/charts/roc.ts";
import { strataChart } from "../../experiment/report/charts/strata.ts";
import { element } from "../dom.ts";
import { plotView } from "./plot.ts";
import { notScored, type Section, type Shown } from "./section.ts";
import { featuresSection } from "./sections/features.ts";
import { gridsSection } from "./sections/grids.ts";
import { imagesSection, sizeSection } from "./sections/images.ts";
import { runsSection } from "./sections/runs.ts";
import { tablesSection } from "./sections/tables.ts";

/** A section of a chart for each network: one is chosen. */
const ofOneNetwork = (
  name: string,
  build: (shown: Shown, set: string, group: string) => readonly HTMLElement[],
): Pick<Section, "key" | "build"> => ({
  key: ({ data, set, choices }) => [
    data.runs.map(({ evaluation }) => evaluation),
    set,
    choices.of(name, networks(data, set)),
  ],
  build: (shown) => {
    const { data, set, choices } = shown;
    const groups = networks(data, set);
    const group = choices.of(name, groups);
    if (set === undefined || group === undefined) return [notScored()];
    const choice = groups.length > 1 ? [choices.select(name, "Network", groups)] : [];
    return [...choice, ...build(shown, set, group)];
  },
});

const networks = (data: Shown["data"], set: string | undefined): string[] =>
  set === undefined ? [] : [...evaluatedRuns(data, set).keys()];

const scored = ({ data, set }: Shown) => [data.runs.map(({ evaluation, roc, group }) => [evaluation, roc, group]), set];

/** The parts of the page in their order. */
export const SECTIONS: readonly Section[] = [
  runsSection,
  {
    id: "learning",
    title: "Learning curves",
    key: ({ data }) => data.runs.map(({ name, group, curves }) => [name, group, curves]),
    build: ({ data }) => {
      const figures = learningCurves(data).map((draw) => plotView(draw));
      return [element("div", { attributes: { class: "figures" } }, ...figures)];
    },
  },
  tablesSection,
  {
    id: "strata",
    title: "Score by object size",
    key: scored,
    build: ({ data, set }) =>
      set === undefined ? [notScored()] : [plotView((drawing) => strataChart(data, set, drawing))],
  },
  { id: "size", title: "Score of each image by object size", ...ofOneNetwork("size", sizeSection) },
  imagesSection,
  {
    id: "confusion",
    title: "Confusion matrix",
    ...ofOneNetwork("confusion", ({ data }, set, group) => [
      plotView((drawing) => confusionChart(data, set, group, drawing)),
    ]),
  },
  {
    id: "roc",
    title: "ROC curves",
    key: scored,
    build: ({ data, set }) =>
      set === undefined ? [notScored()] : [plotView((drawing) => rocChart(data, set, drawing))],
  },
  gridsSection,
  featuresSection,
];

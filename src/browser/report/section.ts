import type { ReportData } from "../../experiment/report/data.ts";
import { element } from "../dom.ts";
import type { Choices } from "./choices.ts";

/** What sections are given: the data, and what the reader has chosen. */
export interface Shown {
  readonly data: ReportData;
  /** The data set whose scores are shown; undefined where nothing is scored. */
  readonly set: string | undefined;
  readonly choices: Choices;
}

/** A part of the page. It is built anew where `key`, what it is made of, has changed. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly key: (shown: Shown) => unknown;
  readonly build: (shown: Shown) => readonly HTMLElement[];
}

/** A sentence where there is nothing to show: what makes it. */
export const absent = (sentence: string): HTMLElement => element("p", { attributes: { class: "absent" } }, sentence);

/** What stands where no run is scored. */
export const notScored = (): HTMLElement =>
  absent("No run is scored yet: svanet eval RUN scores its checkpoint, image by image.");

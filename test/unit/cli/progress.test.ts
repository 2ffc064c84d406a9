import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createProgress, progressLine } from "../../../src/cli/progress.ts";

const FIGURES = {
  loss: "0.4213",
  Dice: "71.2",
  "images/s": "13.4",
  "waiting for data": "12 %",
};
const LINE = { label: "training", done: 123, total: 800, figures: FIGURES, left: "12:45 min left" };

test("a wide terminal has a whole bar and every figure", () => {
  const shown = progressLine(LINE, 160);
  const figures = "loss 0.4213  Dice 71.2  images/s 13.4  waiting for data 12 %";
  expect(shown).toBe(`training ${"█".repeat(6)}${"░".repeat(34)} 123/800  ${figures}  12:45 min left`);
});

test("at 80 columns the bar is gone before time left and images/s", () => {
  const shown = progressLine(LINE, 80);
  expect(shown.length).toBeLessThanOrEqual(80);
  expect(shown).toContain("images/s 13.4");
  expect(shown).toContain("12:45 min left");
  expect(shown).not.toMatch(/[█░]/);
  const few = { ...LINE, figures: { "images/s": "13.4" } };
  expect(progressLine(few, 80)).toMatch(/^training █+░+ 123\/800 {2}images\/s 13\.4 {2}12:45 min left$/);
  expect(progressLine(few, 80)).toHaveLength(80);
});

test("figures go from the last to the first, images/s last; no width makes a line wrap", () => {
  for (let columns = 160; columns >= 10; columns--) {
    const shown = progressLine(LINE, columns);
    expect(shown.length, `${columns} columns`).toBeLessThanOrEqual(columns);
    expect(shown).toContain("123/800".slice(0, columns));
    if (shown.includes("loss")) expect(shown).toContain("images/s");
    if (shown.includes("waiting")) expect(shown).toContain("Dice");
    if (shown.includes("images/s")) expect(shown).toContain("left");
    if (columns < 80) expect(shown).not.toMatch(/[█░]/);
  }
  expect(progressLine(LINE, 60)).toBe("training 123/800  loss 0.4213  images/s 13.4  12:45 min left");
  expect(progressLine(LINE, 26)).toBe("tr 123/800  12:45 min left");
});

test("a drawn bar keeps to the terminal's width", () => {
  const written: string[] = [];
  const stream = Object.assign(
    new Writable({
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        done();
      },
    }),
    { isTTY: true, columns: 50, cursorTo: () => true, clearLine: () => true, moveCursor: () => true },
  );
  const progress = createProgress({ label: "checking {files}", total: 10, terminal: true, stream });
  progress.update(4, { "images/s": "1.5", of: "a-name-that-is-far-too-long-for-this-terminal" });
  progress.stop();
  const lines = written.filter((text) => text.includes("/10"));
  expect(lines.length).toBeGreaterThan(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: orders to the terminal take no room
  for (const text of lines) expect(text.replaceAll(/\u001b[\d[?]*[A-Za-z]?/g, "").trimEnd().length).toBeLessThan(50);
  expect(lines.at(-1)).toContain("checking {files} 4/10  images/s 1.5");
});

import { expect, test } from "vitest";
import { SET_NAMES } from "../../../src/data/prepare/set-names.ts";
import { SET_KINDS } from "../../../src/data/prepare/sets.ts";

test("every set that the help names can be prepared, by that name", () => {
  expect(SET_KINDS.map(({ name }) => name)).toEqual(SET_NAMES);
  for (const { summary } of SET_KINDS) expect(summary).not.toBe("");
});

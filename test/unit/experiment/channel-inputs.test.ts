import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { shownArgument } from "../../../src/cli/arguments.ts";
import { requireSameChannels } from "../../../src/data/channels.ts";
import type { ByteImage } from "../../../src/data/image/image.ts";
import { requireShown, shownInColour } from "../../../src/data/image/shown-channels.ts";
import { furtherOf, listInputs } from "../../../src/experiment/predict/predict-inputs.ts";

const base = mkdtempSync(join(tmpdir(), "svanet-channel-inputs-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe("what predict is given", () => {
  const plan = { names: ["a", "b"] };
  const listed = (names: readonly string[], channels = plan) => {
    const path = mkdtempSync(join(base, "inputs-"));
    for (const name of names) writeFileSync(join(path, name), "");
    return listInputs([path], channels).map((input) => [input.stem, furtherOf(input)?.length ?? 0]);
  };

  test("one file for each channel is one input; all else stays by itself", () => {
    const names = ["x_0000.png", "x_0001.png", "y_0000.png", "z.npy", "w_0042.tif"];
    expect(listed(names)).toEqual([
      ["w_0042", 0],
      ["x", 1],
      ["y_0000", 0],
      ["z", 0],
    ]);
    expect(listed(["t_0000.png", "v_0000.nii"], { names: ["CT"] })).toEqual([
      ["t", 0],
      ["v", 0],
    ]);
  });

  test("pictures for people are drawn of three channels or one", () => {
    const five: ByteImage = { width: 1, height: 1, channels: 5, measured: true, data: Uint8Array.of(1, 2, 3, 4, 5) };
    expect([...shownInColour(five).data]).toEqual([1, 2, 3]);
    expect([...shownInColour(five, [4]).data]).toEqual([5, 5, 5]);
    expect([...shownInColour(five, [4, 1, 0]).data]).toEqual([5, 2, 1]);
    expect([...shownInColour({ ...five, channels: 2, data: Uint8Array.of(8, 9) }).data]).toEqual([8, 8, 8]);
    expect(() => requireShown([0, 2, 1], ["ADC", "T2"])).toThrow(
      /there is no channel 2; the network's are 0 ADC, 1 T2/,
    );
    for (const text of ["0,1", "a", "1.5", "-1", ""]) expect(() => shownArgument(text)).toThrow(/one channel or three/);
    expect(shownArgument("2, 1,0")).toEqual([2, 1, 0]);
  });

  test("a network sees the channels it was trained on, in their order", () => {
    const other = { names: ["b", "a"] };
    expect(() => requireSameChannels("d", plan, plan)).not.toThrow();
    expect(() => requireSameChannels("d", other, plan)).toThrow(
      /d\/dataset\.yaml: its images have 2 channels \(b, a\), the network takes 2 channels \(a, b\).*say channels: \[a, b\]/,
    );
    expect(() => requireSameChannels("d", undefined, plan)).toThrow(/3 channels \(red, green, blue\)/);
    expect(() => requireSameChannels("d", plan, undefined)).toThrow(/take a network that was trained on such images/);
  });
});

import { describe, expect, test } from "vitest";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { traceNetwork, ZOO } from "../../../src/model/zoo.ts";
import { describeRates, rateFactors } from "../../../src/training/rates.ts";
import { tinyNetwork } from "../../support/nets.ts";

const tableOf = (name: string) => traceNetwork(tinyNetwork(name), { mode: "train", batch: 2 }).build.parameters;
const settings = (flags: object) => resolveConfig({ data: "-", out: "-", ...flags });

/** The factor of each tensor named. */
function factors(name: string, flags: object, tensors: readonly string[], frozen = false): number[] {
  const table = tableOf(name);
  const factorOf = rateFactors(table, settings(flags), frozen);
  return tensors.map((tensor) => factorOf(table.get(tensor)));
}

/** A tensor of every depth level, then one behind the encoder. */
const DEPTHS: Readonly<Record<string, readonly string[]>> = {
  svanet: [
    "encoder.stem",
    "encoder.stages.0.0",
    "encoder.stages.1.0",
    "encoder.stages.2.0",
    "encoder.stages.3.2",
    "aspp",
  ],
  unet: ["enc.0", "enc.1", "enc.2", "enc.3", "enc.4", "up.0"],
  unetpp: ["node.0_0", "node.1_0", "node.2_0", "node.3_0", "node.4_0", "node.0_1"],
  nnunet: ["enc.0", "enc.1", "enc.2", "enc.3", "enc.4", "dec.0"],
  hrnet: ["stem.0", "stage1.0", "widen.1", "stage.1.0", "stage.2.0", "mix"],
  pranet: ["encoder.stem.0", "encoder.stage.0", "encoder.stage.1", "encoder.stage.2", "encoder.stage.3", "rfb.0"],
  transnetr: ["encoder.stem", "encoder.stage.0", "encoder.stage.1", "encoder.stage.2", "dec.0"],
};

describe("depth levels", () => {
  test.each(ZOO.map(({ name }) => name))("of %s each name tensors, and no two the same", (name) => {
    const table = tableOf(name);
    const weights = table.list("weight");
    expect(table.levels.length).toBeGreaterThan(3);
    for (const prefixes of table.levels) {
      for (const prefix of prefixes) {
        const under = weights.filter((entry) => entry.name.startsWith(`${prefix}.`));
        expect([prefix, under.length > 0]).toEqual([prefix, true]);
        expect(new Set(under.map(({ level }) => level))).toEqual(new Set([table.levels.indexOf(prefixes)]));
      }
    }
    const behind = weights.filter(({ level }) => level === null);
    expect(behind.length).toBeGreaterThan(0);
    expect(behind.filter((entry) => /^enc/.test(entry.name))).toEqual([]);
  });

  test.each(Object.entries(DEPTHS))("of %s lose a factor towards the image", (name, prefixes) => {
    const names = tableOf(name)
      .list("weight")
      .map((entry) => entry.name);
    const tensors = prefixes.map((prefix) => names.find((known) => known.startsWith(`${prefix}.`)) ?? prefix);
    const depth = prefixes.length - 1;
    const expected = prefixes.map((_, i) => (i === depth ? 1 : 0.25 * 0.5 ** (depth - i)));
    expect(factors(name, { layerDecay: 0.5, encoderRate: 0.25 }, tensors)).toEqual(expected);
    expect(factors(name, {}, tensors)).toEqual(prefixes.map(() => 1));
    expect(factors(name, {}, tensors, true)).toEqual(prefixes.map((_, i) => (i === depth ? 1 : 0)));
  });
});

describe("factors by name", () => {
  const TENSORS = ["enc.0.0.conv.weight", "enc.0.1.conv.weight", "enc.1.0.conv.weight", "head.weight"];

  test("go by the longest prefix, in place of the encoder's own, whole names and dots alone", () => {
    const layerRates = { "enc.0": 0.5, enc: 0.25, "enc.0.1.conv.weight": 0, head: 10 };
    expect(factors("unet", { layerRates, layerDecay: 0.1, encoderRate: 0.1 }, TENSORS)).toEqual([0.5, 0, 0.25, 10]);
    expect(() => factors("unet", { layerRates: { "enc.0.0.con": 1 } }, [])).toThrow("begin with enc.0.0.con. Did you");
    expect(factors("unet", { layerRates: { enc: 1 } }, TENSORS, true)).toEqual([0, 0, 0, 1]);
  });

  test("that fit no tensor, or leave none to train, are refused with a sentence", () => {
    expect(() => factors("svanet", { layerRates: { "encoder.stage.0": 0.1 } }, [])).toThrow(
      "--layer-rates: the network has no tensors whose names begin with encoder.stage.0. Did you mean encoder.stages.0?",
    );
    const all = { layerRates: { enc: 0, up: 0, dec: 0, head: 0 } };
    expect(() => factors("unet", all, [])).toThrow("every tensor has a factor of 0, so nothing would train");
    const rest = { layerRates: { up: 0, dec: 0, head: 0 } };
    expect(() => factors("unet", rest, [], true)).toThrow(
      "0 while the encoder is frozen (--freeze-epochs), so nothing",
    );
  });

  test("are told in a line", () => {
    const line = (flags: object) => describeRates(tableOf("unet"), settings(flags));
    expect(line({})).toBeNull();
    expect(line({ encoderRate: 0.1 })).toBe("learning rates over that of the run: encoder 0.1, all else 1");
    expect(line({ layerDecay: 0.7, layerRates: { head: 10, "up.0": 0 } })).toBe(
      "learning rates over that of the run: enc.0 0.168, enc.1 0.24, enc.2 0.343, enc.3 0.49, enc.4 0.7, head 10, " +
        "up.0 0 (frozen), all else 1",
    );
  });
});

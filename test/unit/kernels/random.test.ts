import { describe, expect, test } from "vitest";
import { philox, random } from "../../../src/kernels/random.ts";

/** Known answers of the Random123 distribution (kat_vectors, philox4x32 with 10 rounds): counter, key, output. */
const KNOWN = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const;

const take = (count: number, draw: () => number) => Array.from({ length: count }, draw);

describe("philox", () => {
  test.each(KNOWN)("gives the published block for counter %j", (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox(Uint32Array.from(counter), key[0], key[1], out);
    expect([...out]).toEqual([...expected]);
  });
});

describe("random", () => {
  test("is a pure function of seed, stream and counters", () => {
    const reference = random(7, "mcattn", 3, 1);
    const again = random(7, "mcattn", 3, 1);
    const values = take(9, () => reference.uniform());
    expect(take(9, () => again.uniform())).toEqual(values);
    const others = [
      random(8, "mcattn", 3, 1),
      random(7, "svattn", 3, 1),
      random(7, "mcattn", 1, 3),
      random(7, "mcattn", 3),
      random(7, "mcattn", 3, 1, 0),
      random(7 + 2 ** 32, "mcattn", 3, 1),
    ];
    const firsts = others.map((other) => other.uniform());
    expect(new Set([values[0], ...firsts]).size).toBe(others.length + 1);
  });

  test("keeps its values from release to release, since checkpoints count on them", () => {
    const walk = random(1, "fixed", 2);
    const first = [walk.uniform(), walk.integer(1000), [...walk.permutation(5)], walk.normal()];
    expect(first).toMatchInlineSnapshot(`
      [
        0.21478844853118062,
        231,
        [
          0,
          3,
          4,
          1,
          2,
        ],
        -0.46360902904598944,
      ]
    `);
  });

  test("is uniform, unbiased and normal", () => {
    const walk = random(5, "statistics");
    const uniforms = take(20000, () => walk.uniform());
    expect(Math.min(...uniforms)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniforms)).toBeLessThan(1);
    expect(uniforms.reduce((sum, value) => sum + value) / 20000).toBeCloseTo(0.5, 1.7);
    const counts = new Array(7).fill(0);
    for (let index = 0; index < 21000; index++) counts[walk.integer(7)]++;
    for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(250);
    const normals = take(20000, () => walk.normal());
    const moment = (power: number) => normals.reduce((sum, value) => sum + value ** power, 0) / 20000;
    expect(Math.abs(moment(1))).toBeLessThan(0.03);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.05);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.3);
  });

  test("permutes: every number once, every ordering as often", () => {
    expect([...random(3, "order").permutation(257)].sort((a, b) => a - b)).toEqual([...Array(257).keys()]);
    expect([...random(3, "order").permutation(0)]).toEqual([]);
    const seen = new Map<string, number>();
    const walk = random(3, "orderings");
    for (let index = 0; index < 6000; index++) {
      const key = walk.permutation(3).join("");
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test("refuses what is no whole number", () => {
    expect(() => random(-1, "x")).toThrow('random "x": -1 is no seed or counter');
    expect(() => random(1, "x", 0.5)).toThrow("0.5 is no seed or counter");
    expect(() => random(1, "x").integer(0)).toThrow("count is 0");
  });
});

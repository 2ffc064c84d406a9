import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isInstalled } from "../../../../bench/peers/install.ts";
import { difference } from "../../../../bench/peers/ours.ts";
import { REFERENCE_FLOPS, type Round, rowOf, timeRounds, undisturbed } from "../../../../bench/peers/rounds.ts";
import { tableText } from "../../../../bench/peers/table.ts";
import { WORKS, worksLike } from "../../../../bench/peers/works.ts";

const round = (reference: number, ours: number, theirs: number): Round => ({ reference, ours, theirs });

test("a round whose reference kernel ran under 60 % of its best does not count", () => {
  const rounds = [round(10, 1, 3), round(16.6, 1, 3), round(16.7, 1, 99), round(12, 1, 3)];
  expect(undisturbed(rounds)).toEqual([rounds[0], rounds[1], rounds[3]]);
});

test("the ratio is how many times faster we are, round by round", () => {
  const row = rowOf("matmul 512", "tfjs", [round(20, 2, 8), round(20, 4, 8), round(20, 2, 4), round(100, 1, 900)]);
  expect(row).toEqual({
    ...{ work: "matmul 512", peer: "tfjs", ours: 2, theirs: 8, ratio: 2, kept: 3, rounds: 4 },
    refGflops: REFERENCE_FLOPS / 20 / 1e6,
  });
  expect(rowOf("matmul 512", "torch-cpu", [round(20, 4, 1)]).ratio).toBe(0.25);
});

test("reference, ours and theirs run in turns, after two untimed turns", async () => {
  const order: string[] = [];
  const timed = (name: string, milliseconds: number) => async () => {
    order.push(name);
    return milliseconds;
  };
  const rounds = await timeRounds({ reference: timed("r", 1), ours: timed("o", 2), theirs: timed("t", 3) }, 2);
  expect(order.join("")).toBe("rot".repeat(4));
  expect(rounds).toEqual([round(1, 2, 3), round(1, 2, 3)]);
});

test("works are picked by a part of their name", () => {
  expect(WORKS).toHaveLength(13);
  expect(worksLike("conv3x3")).toHaveLength(5);
  expect(worksLike("u-net").map(({ name }) => name)).toEqual(["U-Net forward", "U-Net forward and backward"]);
  expect(worksLike("")).toEqual(WORKS);
});

test("the table has a line a work, ours and our rate over the reference kernel's, and a ratio a peer", () => {
  const row = (work: string, peer: string, ratio: number) => ({
    ...{ work, peer, ours: 10, theirs: 10 * ratio, ratio, refGflops: REFERENCE_FLOPS / 20 / 1e6, kept: 8, rounds: 9 },
  });
  const text = tableText([
    row("matmul 512", "tfjs", 4),
    row("matmul 512", "ort-cpu", 0.1),
    row("AdamW, 1 M parameters", "tfjs", 3),
  ]).split("\n");
  expect(text[0]).toMatch(/^work +ours, ms +over reference +ort-cpu +tfjs$/);
  expect(text[2]).toMatch(/^matmul 512 +10\.0 +2\.00 +0\.10x +4\.00x$/);
  expect(text[3]).toMatch(/^AdamW, 1 M parameters +10\.0 +- +3\.00x$/);
  expect(text[4]).toContain("24 of 27 rounds count");
});

test("ours is refused where a tensor differs, or holds what is no number", () => {
  const exact = [Float32Array.of(1, -4), Float32Array.of(1e-3)];
  expect(difference(exact, [Float32Array.of(1.001, -4), Float32Array.of(1e-3)])).toBeNull();
  expect(difference(exact, [Float32Array.of(1.1, -4), Float32Array.of(1e-3)])).toMatch(
    /^tensor 0 of its results differs/,
  );
  expect(difference(exact, [Float32Array.of(1, -4), Float32Array.of(Number.NaN)])).toMatch(/^tensor 1 .*Infinity/);
  expect(difference(exact, [Float32Array.of(1, -4)])).toMatch(/^tensor 1/);
});

test("packages count as installed while the lock file is the one they were installed by", () => {
  const folder = mkdtempSync(join(tmpdir(), "svanet-peers-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "package-lock.json"), "{}");
  expect(isInstalled(folder)).toBe(false);
});

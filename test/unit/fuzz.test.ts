import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataError } from "../../src/errors.ts";
import { random } from "../../src/kernels/random.ts";
import { judge, LIMITS } from "../fuzz/judge.ts";
import { mutate } from "../fuzz/mutate.ts";
import type { FuzzTarget } from "../fuzz/target.ts";
import { kept, TARGETS } from "../fuzz/targets.ts";

/** Spoiled files a target; `npm run fuzz` goes on where this ends. */
const ROUNDS = 120;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "svanet-fuzz-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(TARGETS.map((target) => [target.name, target] as const))(
  "%s: good files are read, traps refused, spoiled files either, soon and in little memory",
  async (_, target) => {
    const room = mkdtempSync(join(folder, "room-"));
    const seeds = [...(await target.seeds())].map((bytes) => Buffer.from(bytes));
    for (const bytes of seeds) expect((await judge(target, Buffer.from(bytes), room)).outcome).toBe("read");
    for (const bytes of target.traps?.() ?? [])
      expect((await judge(target, Buffer.from(bytes), room)).outcome).toBe("refused");
    for (const bytes of kept(target)) await judge(target, bytes, room);
    const words = target.words.map((word) => Buffer.from(word, "latin1"));
    let [read, refused] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const walk = random(7, `fuzz ${target.name}`, round);
      const spoiled = mutate(seeds[round % seeds.length] ?? Buffer.alloc(0), target.head, walk, {
        words,
        others: seeds,
      });
      const bytes = target.reseal && round % 3 > 0 ? await target.reseal(spoiled) : spoiled;
      const { outcome } = await judge(target, bytes, room).catch((error: unknown) => {
        throw new Error(`round ${round}: ${error instanceof Error ? error.message : String(error)}`);
      });
      if (outcome === "read") read++;
      else refused++;
    }
    // Spoiling that never got past the first check, or never harmed, would prove nothing.
    expect(read).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(ROUNDS / 20);
  },
);

const BYTES = Buffer.from("x");
const target = (run: FuzzTarget["run"]): FuzzTarget => ({
  name: "fake",
  seeds: () => [],
  head: 1,
  words: [],
  writes: [],
  run,
});
const room = () => mkdtempSync(join(folder, "room-"));

test("the judge notices what a parser must not do", async () => {
  expect(LIMITS).toEqual({ seconds: 2, bytes: 2 ** 30 });
  const judged = (run: FuzzTarget["run"], limits = LIMITS) => judge(target(run), BYTES, room(), limits);
  await expect(judged(() => JSON.parse("{"))).rejects.toThrow("an error that is no answer: SyntaxError");
  await expect(judged(() => Promise.reject(new DataError("damaged")))).rejects.toThrow("does not name the file");
  await expect(judged((_, place) => writeFileSync(join(place, "planted"), ""))).rejects.toThrow("wrote planted");
  await expect(judged(spin, { ...LIMITS, seconds: 0.2 })).rejects.toThrow(/took [\d.]+ s of processor time/);
  await expect(judged(() => Buffer.alloc(2 ** 28, 1), { seconds: 60, bytes: 2 ** 26 })).rejects.toThrow(
    /took \d+ MiB of memory/,
  );
  const pollute = () => Object.defineProperty(Object.prototype, "planted", { value: 1, configurable: true });
  await expect(judged(pollute)).rejects.toThrow("changed a shared prototype");
  Reflect.deleteProperty(Object.prototype, "planted");
  await expect(judged(() => Promise.reject(new DataError("fuzzed.x: damaged")))).resolves.toMatchObject({
    outcome: "refused",
  });
});

function spin(): void {
  const end = process.cpuUsage().user + 250_000;
  while (process.cpuUsage().user < end) Array.from({ length: 1000 });
}

test("mutations repeat by their seed, and every kind of change occurs", () => {
  const original = Buffer.from(Array.from({ length: 64 }, (_, at) => at));
  const material = { words: [Buffer.from("WORD")], others: [Buffer.alloc(40, 0xee)] };
  const made = (round: number) => mutate(original, 16, random(3, "m", round), material);
  const all = Array.from({ length: 300 }, (_, round) => made(round));
  expect(all[17]).toEqual(made(17));
  expect(all.some((bytes) => bytes.length < 64)).toBe(true);
  expect(all.some((bytes) => bytes.length > 64)).toBe(true);
  expect(all.some((bytes) => bytes.includes("WORD"))).toBe(true);
  expect(all.some((bytes) => bytes.includes(Buffer.alloc(4, 0xee)))).toBe(true);
  expect(original[5]).toBe(5);
});

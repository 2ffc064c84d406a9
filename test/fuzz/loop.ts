import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { random } from "../../src/kernels/random.ts";
import { Coverage } from "./coverage.ts";
import { judge } from "./judge.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";
import { kept, TARGETS } from "./targets.ts";

interface Tally {
  tried: number;
  refused: number;
  slowest: number;
  blocks: number;
  corpus: number;
}

const [name, seed, seconds, folder = "", file] = process.argv.slice(2);
const target = TARGETS.find((one) => one.name === name);
if (target === undefined) throw new Error(`no target ${name}; known: ${TARGETS.map((one) => one.name).join(", ")}`);

/**
 * One target for a while: node loop.js TARGET SEED SECONDS FOLDER [FILE]. Inputs that reach code which none reached before
 * join the corpus in FOLDER/corpus; the input under trial stands in FOLDER/trial, for the case that it ends this process.
 * With FILE, that input alone; with 0 SECONDS, the corpus and nothing new. Prints a line of JSON at the end; scripts/fuzz.mjs
 * starts it.
 */
async function loop(target: FuzzTarget, tally: Tally): Promise<void> {
  const places = { room: join(folder, "room"), corpus: join(folder, "corpus"), trial: join(folder, "trial") };
  for (const place of [places.room, places.corpus]) mkdirSync(place, { recursive: true });
  const attempt = async (bytes: Buffer) => {
    writeFileSync(places.trial, bytes);
    const { outcome, seconds: took } = await judge(target, Buffer.from(bytes), places.room);
    tally.tried++;
    if (outcome === "refused") tally.refused++;
    tally.slowest = Math.max(tally.slowest, took);
  };
  if (file !== undefined) return attempt(readFileSync(file));
  const grown = readdirSync(places.corpus).map((entry) => readFileSync(join(places.corpus, entry)));
  const inputs: Buffer[] = [...(await target.seeds()), ...(target.traps?.() ?? []), ...kept(target), ...grown].map(
    (bytes) => Buffer.from(bytes),
  );
  if (Number(seconds) > 0) await grow(target, inputs, attempt, places.corpus);
  else for (const bytes of inputs) await attempt(bytes);
  tally.corpus = inputs.length;
}

/** Spoils inputs for a while; those that reach something new are kept and spoiled further. */
async function grow(target: FuzzTarget, inputs: Buffer[], attempt: (bytes: Buffer) => Promise<void>, corpus: string) {
  const coverage = new Coverage(/\/src\/|dicom-parser|node_modules\/yaml/);
  for (const bytes of inputs) await attempt(bytes);
  coverage.news();
  const words = target.words.map((word) => Buffer.from(word, "latin1"));
  const end = performance.now() + 1000 * Number(seconds);
  for (let round = 0; performance.now() < end; round++) {
    const walk = random(Number(seed), `fuzz ${target.name}`, round);
    // Of two draws the later input: what was found last leads on.
    const at = Math.max(walk.integer(inputs.length), walk.integer(inputs.length));
    const spoiled = mutate(inputs[at] ?? Buffer.alloc(0), target.head, walk, { words, others: inputs });
    const bytes: Buffer = target.reseal && walk.integer(3) > 0 ? await target.reseal(spoiled) : spoiled;
    await attempt(bytes);
    if (coverage.news() === 0) continue;
    inputs.push(bytes);
    writeFileSync(join(corpus, createHash("sha256").update(bytes).digest("hex").slice(0, 16)), bytes);
  }
  TALLY.blocks = coverage.blocks;
  coverage.stop();
}

const TALLY: Tally & { violation?: string } = { tried: 0, refused: 0, slowest: 0, blocks: 0, corpus: 0 };
await loop(target, TALLY).catch((error: unknown) => {
  TALLY.violation = error instanceof Error ? error.message : String(error);
  process.exitCode = 1;
});
process.stdout.write(`${JSON.stringify(TALLY)}\n`);

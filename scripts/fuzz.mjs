/**
 * npm run fuzz -- [--minutes N] [--target NAME] [--seed S] [--repeat FILE]: feeds spoiled files to every parser, or to one,
 * N minutes in all (default 10). Each target runs in a process of its own, guided by V8's coverage; then all its inputs once
 * more in a process that may write to one folder and start nothing (Node's permission model, which forbids asking for
 * coverage). An input that breaks a promise (test/fuzz/judge.ts), hangs or kills its process is kept in
 * fuzz-failures/ with the command that repeats it, and the exit code is 1. Found inputs stay in node_modules/.cache, so that
 * the next run goes on from there.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, "node_modules", ".cache", "svanet-fuzz");
const failures = join(root, "fuzz-failures");
/** Longest time from one input to the next before the process is ended; starting it on a busy machine takes long, too. */
const PATIENCE_MS = 60_000;

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      target: { type: "string" },
      seed: { type: "string", default: String(Math.floor(Date.now() / 1000)) },
      repeat: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: a number above 0 is meant`);
  if (values.repeat !== undefined && values.target === undefined) throw new Error("--repeat needs --target");
  return { ...values, minutes };
}

/**
 * Compiles the fuzzer and the sources: a process without leave to start others cannot do so itself. What did not change is
 * not written again, so that a search that runs meanwhile is left alone.
 */
function compile() {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const project = join(root, "test", "fuzz", "tsconfig.json");
  const { status } = spawnSync(process.execPath, [compiler, "-p", project], { stdio: "inherit" });
  if (status !== 0) throw new Error("the fuzzer does not compile");
  cpSync(join(root, "test", "fuzz", "corpus"), join(cache, "test", "fuzz", "corpus"), { recursive: true });
  cpSync(join(root, "package.json"), join(cache, "package.json"));
}

const workFolder = (target) => join(cache, "work", target);

/** Node's flags by which a process may read everything, write to `folder`, load addons, and nothing else. */
function permissions(folder) {
  const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
  return [flag, "--allow-fs-read=*", `--allow-fs-write=${folder}/*`, "--allow-addons"];
}

/** Runs one target; gives its tally, with `violation` where an input broke a promise. */
function run(target, { seed, seconds, file, flags }) {
  const folder = workFolder(target);
  rmSync(join(folder, "room"), { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const main = join(cache, "test", "fuzz", "loop.js");
  const words = [target, seed, String(seconds), folder, ...(file === undefined ? [] : [resolve(file)])];
  const child = spawn(process.execPath, [...flags, "--no-warnings", "--max-old-space-size=1024", main, ...words], {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder },
  });
  const trial = join(folder, "trial");
  let [output, complaint, hung] = ["", "", false];
  child.stdout.on("data", (part) => (output += part));
  child.stderr.on("data", (part) => (complaint = `${complaint}${part}`.slice(-4000)));
  const began = Date.now();
  const watch = setInterval(() => {
    const last = existsSync(trial) ? statSync(trial).mtimeMs : began;
    if (Date.now() - Math.max(began, last) < PATIENCE_MS) return;
    hung = true;
    child.kill("SIGKILL");
  }, 1000);
  return new Promise((done) => {
    child.on("exit", (code, signal) => {
      clearInterval(watch);
      const tally = output.trim() === "" ? {} : JSON.parse(output.trim().split("\n").at(-1));
      const ended = hung ? "took more than a minute" : `ended its process (${signal ?? code}): ${complaint.trim()}`;
      done(code === 0 || tally.violation !== undefined ? tally : { ...tally, violation: ended });
    });
  });
}

function keep(target) {
  const trial = join(workFolder(target), "trial");
  if (!existsSync(trial)) return undefined;
  const name = `${target}-${createHash("sha256").update(readFileSync(trial)).digest("hex").slice(0, 16)}`;
  mkdirSync(failures, { recursive: true });
  cpSync(trial, join(failures, name));
  return join("fuzz-failures", name);
}

/** Searches, then tries what is known without any leave; gives the first violation. */
async function searchAndConfine({ name, flushes }, { seed, seconds, repeat }) {
  const search = await run(name, { seed, seconds, file: repeat, flags: [] });
  if (search.violation !== undefined || flushes) return search;
  const { violation } = await run(name, { seed, seconds: 0, file: repeat, flags: permissions(workFolder(name)) });
  return violation === undefined ? search : { ...search, violation };
}

async function main() {
  const { minutes, target, seed, repeat } = options();
  compile();
  const { TARGETS } = await import(pathToFileURL(join(cache, "test", "fuzz", "targets.js")).href);
  const names = TARGETS.map(({ name }) => name);
  if (target !== undefined && !names.includes(target))
    throw new Error(`no target ${target}; known: ${names.join(", ")}`);
  const chosen = TARGETS.filter(({ name }) => target === undefined || name === target);
  const seconds = Math.ceil((60 * minutes) / chosen.length);
  console.log(`seed ${seed}; ${chosen.length} targets, ${seconds} s each`);
  let failed = 0;
  for (const one of chosen) {
    const { name } = one;
    const { violation, ...tally } = await searchAndConfine(one, { seed, seconds, repeat });
    console.log(
      `${name}: ${Object.entries(tally)
        .map(([what, figure]) => `${what} ${figure}`)
        .join(", ")}`,
    );
    if (violation === undefined) continue;
    failed++;
    const file = repeat ?? keep(name);
    console.log(`  FAILED: ${violation}\n  repeat: npm run fuzz -- --target ${name} --repeat ${file}`);
  }
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`svanet fuzz: ${error.message}`);
  process.exitCode = 2;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ablationArms } from "../../../../../src/experiment/study/ablation.ts";
import { ablationTable } from "../../../../../src/experiment/study/ablation-tables.ts";
import { sideBySide } from "../../../../../src/experiment/study/launch/side-by-side.ts";
import { planStudy, type StudyRun } from "../../../../../src/experiment/study/plan.ts";
import type { RunEnd } from "../../../../../src/experiment/study/runner.ts";
import { paperData, tinyStudy } from "../../../../support/study.ts";
import { scratchFolder } from "../../../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

const runsIn = (folder: string): StudyRun[] =>
  planStudy({
    blocks: [{ data: paperData(), arms: ablationArms([ablationTable("6")], tinyStudy()) }],
    repeats: 1,
    out: join(scratch.path, folder),
  }).runs.slice();

/** A program of Node in place of the one that trains. */
const script = (text: string): string[] => [process.execPath, "-e", text];

/** Carries runs out by these programs, two at a time; how each ended, and the states that were shown. */
async function carriedOut(
  runs: readonly StudyRun[],
  programs: readonly (readonly string[])[],
  more: { adapters?: string[]; stopped?: (shown: readonly string[]) => boolean } = {},
) {
  const ends = new Map<string, RunEnd>();
  const adapters: (string | undefined)[] = [];
  let shown: string[] = [];
  const launch = sideBySide({
    jobs: 2,
    adapters: more.adapters ?? [],
    command: (run, adapter) => {
      adapters.push(adapter);
      return programs[runs.indexOf(run)] ?? [];
    },
    display: {
      show: (rows) => {
        shown = rows.map(({ state }) => state);
      },
      stop() {},
    },
    stopped: () => more.stopped?.(shown) ?? false,
  });
  await launch(runs, (run, end) => ends.set(run.name, end));
  return { ends: runs.map(({ name }) => ends.get(name)), adapters, shown };
}

test("two at a time, each on the adapter of its place; one that fails is listed with what it printed last", async () => {
  const runs = runsIn("fails");
  const fail = script('console.error("first");console.error("no room on the GPU");process.exit(3)');
  const good = script('console.log("well")');
  const { ends, adapters, shown } = await carriedOut(runs, [good, fail, good, ["/no/such/program"]], {
    adapters: ["one", "two"],
  });
  expect(ends.map((end) => end?.kind)).toEqual(["finished", "failed", "finished", "failed"]);
  expect(shown).toEqual(["finished", "failed", "finished", "failed"]);
  expect(adapters.slice(0, 2)).toEqual(["one", "two"]);
  const [, failed, , missing] = ends;
  const log = join(runs[1]?.config.out ?? "", "job.log");
  const why = failed?.kind === "failed" ? failed.why : "";
  expect(why).toBe(`its process ended with exit code 3; it printed (${log}):\nfirst\nno room on the GPU`);
  expect(readFileSync(log, "utf8")).toMatch(/^\d{4}-.*process\.exit\(3\).*\nfirst\n/);
  expect(missing?.kind === "failed" && missing.why).toContain("could not be started");
});

test("asked to stop, every process that runs is asked once, and nothing new is begun", async () => {
  const runs = runsIn("stops");
  // Saves as a training does, and says by its exit code that a signal was obeyed.
  const obeys = script(
    'let n=0;process.on("SIGTERM",()=>{n++;setTimeout(()=>{console.log("asked "+n);process.exit(143)},600)});setInterval(()=>{},1000);console.log("ready")',
  );
  const ready = () => runs.slice(0, 2).every((run) => logOf(run).includes("\nready"));
  const { ends } = await carriedOut(runs, [obeys, obeys, obeys, obeys], { stopped: ready });
  expect(ends.map((end) => end?.kind)).toEqual(["stopped", "stopped", undefined, undefined]);
  for (const run of runs.slice(0, 2)) expect(logOf(run)).toContain("asked 1");
});

test("a process that somebody kills is a failure, not the end of the study", async () => {
  const runs = runsIn("killed").slice(0, 2);
  const { ends } = await carriedOut(runs, [script('process.kill(process.pid,"SIGKILL")'), script("")]);
  expect(ends[0]?.kind === "failed" && ends[0].why).toContain("its process was ended by SIGKILL");
  expect(ends[1]?.kind).toBe("finished");
});

function logOf(run: StudyRun): string {
  try {
    return readFileSync(join(run.config.out, "job.log"), "utf8");
  } catch {
    return "";
  }
}

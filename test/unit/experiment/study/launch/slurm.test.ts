import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ablationArms } from "../../../../../src/experiment/study/ablation.ts";
import { ablationTable } from "../../../../../src/experiment/study/ablation-tables.ts";
import { shellLine } from "../../../../../src/experiment/study/launch/program.ts";
import { type Answer, type Ask, askSlurm } from "../../../../../src/experiment/study/launch/slurm/queue.ts";
import { jobScript } from "../../../../../src/experiment/study/launch/slurm/script.ts";
import { readSlurmSettings } from "../../../../../src/experiment/study/launch/slurm/settings.ts";
import { onSlurm } from "../../../../../src/experiment/study/launch/slurm/slurm.ts";
import { planStudy } from "../../../../../src/experiment/study/plan.ts";
import type { RunEnd } from "../../../../../src/experiment/study/runner.ts";
import { paperData, tinyStudy } from "../../../../support/study.ts";
import { scratchFolder } from "../../../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

const settingsOf = (text: string) => {
  const path = join(scratch.path, "cluster.yaml");
  writeFileSync(path, text);
  return readSlurmSettings(path);
};

test.each([
  ["partiton: gpu", "line 1 (partiton): unknown key. Did you mean partition?"],
  ["gpus: -1", "line 1 (gpus): -1 does not fit: expected a number of GPUs, or a type with one, such as a100:1"],
  ["cpus: 4\ntime: soon", 'line 2 (time): "soon" does not fit: expected minutes, or a time as sbatch takes it'],
  ['partition: "a b"', 'line 1 (partition): "a b" does not fit: expected a name without spaces'],
  ["account: --wrap", 'line 1 (account): "--wrap" does not fit: expected a name without spaces'],
  ["mem: lots", "expected megabytes, or a size such as 16G"],
  ["before: module load cuda", "expected a list of lines, each a text of its own"],
  ['before: ["a\\nb"]', "expected one line of text"],
  ["sbatch: [constraint=a100]", "expected an option of sbatch, such as --constraint=a100"],
  ["grace: 1", "expected whole seconds from 10 to 65535"],
  ["- a", 'expected one "key: value" a line'],
])("a file of a cluster is refused: %s", (text, sentence) => {
  expect(() => settingsOf(text)).toThrow(sentence);
});

test("the script asks for what the file says, and quotes the words of each run", () => {
  const settings = settingsOf(
    'partition: gpu\ntime: "4:00:00"\ngpus: "a100:1"\nmem: 16G\nbefore: [module load vulkan]\nsbatch: [--constraint=big]\n',
  );
  const word = 'it\'s $HOME "x" `y`';
  const text = jobScript({
    settings,
    commands: [
      ["echo", word],
      ["echo", "two"],
    ],
    again: false,
  });
  for (const line of [
    "--partition=gpu",
    "--time=4:00:00",
    "--gpus=a100:1",
    "--mem=16G",
    "--constraint=big",
    "--requeue",
  ]) {
    expect(text).toContain(`\n#SBATCH ${line}\n`);
  }
  expect(text).toContain("\nmodule load vulkan\n");
  expect(text).toContain("--signal=B:USR1@120");
  const run = jobScript({ settings: settingsOf("gpus: 0"), commands: [["echo", word]], again: true });
  expect(run).not.toContain("--gpus");
  const { stdout } = spawnSync("bash", ["-c", run], {
    encoding: "utf8",
    env: { ...process.env, SLURM_ARRAY_TASK_ID: "0" },
  });
  expect(stdout).toBe(`${word} --steal-lock\n`);
  expect(spawnSync("sh", ["-c", shellLine(["printf", "%s", word])], { encoding: "utf8" }).stdout).toBe(word);
});

/** What a script did that is signalled while its run is at work; `state` is what squeue says of the task then. */
function signalled(state: string, signal: string) {
  const bin = join(scratch.path, `bin-${state}-${signal}`);
  mkdirSync(bin);
  const called = join(bin, "called");
  const program = (name: string, text: string) =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  program("squeue", `echo ${state}`);
  program("scontrol", `echo "$@" >>'${called}'; exit 1`);
  program(
    "run",
    "trap 'echo saved; exit 75' USR1; trap 'echo saved; exit 143' TERM; echo at work; while :; do sleep 0.05; done",
  );
  const script = join(bin, "job.sh");
  writeFileSync(script, jobScript({ settings: settingsOf("gpus: 0"), commands: [[join(bin, "run")]], again: false }));
  const shell = `bash '${script}' >'${bin}/out' & job=$!; until grep -q work '${bin}/out' 2>/dev/null; do sleep 0.05; done; kill -${signal} $job; wait $job`;
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env["PATH"]}`,
    SLURM_ARRAY_TASK_ID: "0",
    SLURM_ARRAY_JOB_ID: "7",
  };
  const { status } = spawnSync("bash", ["-c", shell], { env, encoding: "utf8" });
  const text = (path: string) => spawnSync("cat", [path], { encoding: "utf8" }).stdout;
  return { status, out: text(join(bin, "out")), called: text(called) };
}

test("a signal reaches the run, which saves; then the task goes back into the queue, unless it was cancelled", () => {
  const asked = signalled("RUNNING", "USR1");
  expect(asked).toMatchObject({ status: 75, called: "requeue 7_0\n" });
  expect(asked.out).toContain("saved");
  expect(signalled("RUNNING", "TERM")).toMatchObject({ status: 143, called: "requeue 7_0\n" });
  expect(signalled("COMPLETING", "TERM")).toMatchObject({ status: 143, called: "" });
});

const study = planStudy({
  blocks: [{ data: paperData(), arms: ablationArms([ablationTable("6")], tinyStudy()) }],
  repeats: 1,
  out: scratch.path,
});

/** A cluster that answers from memory: states of the tasks of job 41, and which runs are finished. */
class FakeCluster {
  readonly asked: string[] = [];
  readonly finished = new Set<string>();
  readonly notes: string[] = [];
  tasks: (string | undefined)[] = [];
  answers = true;

  ask: Ask = async (program, args): Promise<Answer> => {
    this.asked.push(program);
    if (program === "sbatch") return { code: 0, stdout: "41;cluster\n", stderr: "" };
    if (program === "sacct") return { code: 1, stdout: "", stderr: "accounting is off" };
    if (!this.answers)
      return { code: 1, stdout: "", stderr: "slurm_load_jobs error: Unable to contact slurm controller" };
    if (!args.includes("--jobs=41")) return { code: 1, stdout: "", stderr: "Invalid job id specified" };
    const rows = this.tasks.flatMap((state, index) => (state === undefined ? [] : [`${index}|${state}|node1`]));
    return { code: 0, stdout: `${rows.join("\n")}\n`, stderr: "" };
  };

  async carry(onShow: (turn: number) => void, stopped?: () => boolean, ask = this.ask) {
    const ends = new Map<string, RunEnd>();
    let turn = 0;
    const launch = onSlurm({
      settings: { ...settingsOf("gpus: 0"), poll: 0.001 },
      study: scratch.path,
      fileOf: ({ name }) => `${name}.json`,
      command: (file) => ["svanet", "run-study", file],
      stateOf: async ({ name }) => (this.finished.has(name) ? "finished" : "begun"),
      display: { show: () => onShow(turn++), stop() {} },
      note: (text) => this.notes.push(text),
      stopped,
      ask,
    });
    await launch(study.runs, ({ name }, end) => void ends.set(name, end));
    return ends;
  }
}

test("tasks are submitted once, watched again by the same command, and those that fail are told with their log", async () => {
  const cluster = new FakeCluster();
  cluster.tasks = ["RUNNING", "PENDING", "PENDING", "PENDING"];
  const left = await cluster.carry(
    () => undefined,
    () => true,
  );
  expect(left.size).toBe(0);
  expect(cluster.asked.filter((program) => program === "sbatch")).toHaveLength(1);
  expect(cluster.notes.at(-1)).toContain("scancel 41 ends them");
  expect(readFileSync(join(scratch.path, "slurm", "job-1.sh"), "utf8")).toContain("run-study");

  writeFileSync(join(scratch.path, "slurm", "41-3.log"), "svanet: no adapter answers\n");
  const names = study.runs.map(({ name }) => name);
  const ends = await cluster.carry((turn) => {
    cluster.answers = turn !== 0; // for one look the controller is away
    if (turn !== 1) return;
    cluster.tasks = ["COMPLETED", "COMPLETED", undefined, "FAILED"];
    for (const name of names.slice(0, 3)) cluster.finished.add(name);
  });
  expect(cluster.asked.filter((program) => program === "sbatch")).toHaveLength(1);
  expect(names.map((name) => ends.get(name)?.kind)).toEqual(["finished", "finished", "finished", "failed"]);
  const failed = ends.get(names[3] ?? "");
  const log = join(scratch.path, "slurm", "41-3.log");
  expect(failed).toMatchObject({
    why: `its task 41_3 ended without finishing it (FAILED); it printed (${log}):\nsvanet: no adapter answers`,
  });
});

test("a machine without Slurm, and a cluster that refuses, are told in a sentence", async () => {
  await expect(askSlurm("svanet-no-such-sbatch", [])).rejects.toThrow(
    "--launcher slurm: there is no svanet-no-such-sbatch on this machine: run the command where jobs are submitted",
  );
  const cluster = new FakeCluster();
  cluster.tasks = [];
  const refuse: Ask = async (program, args) =>
    program === "sbatch"
      ? { code: 1, stdout: "", stderr: "sbatch: error: invalid partition: gpu\n" }
      : cluster.ask(program, args);
  await expect(cluster.carry(() => undefined, undefined, refuse)).rejects.toThrow(
    /sbatch refused .*job-2.sh: invalid partition: gpu/,
  );
});

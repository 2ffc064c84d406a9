import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { CheckpointError, DataError, DeviceLostError, OutOfMemoryError } from "../../../../src/errors.ts";
import { ablationArms } from "../../../../src/experiment/study/ablation.ts";
import { ablationTable } from "../../../../src/experiment/study/ablation-tables.ts";
import { carryOut } from "../../../../src/experiment/study/carry-out.ts";
import { planStudy, type StudyRun } from "../../../../src/experiment/study/plan.ts";
import { type CarryRun, inTurn, type RunState } from "../../../../src/experiment/study/runner.ts";
import { studyRows } from "../../../../src/experiment/study/table.ts";
import { random } from "../../../../src/kernels/random.ts";
import { paperData, scoresOf, tinyStudy } from "../../../support/study.ts";

const STEPS = 4;
const study = planStudy({
  blocks: [{ data: paperData(), arms: ablationArms([ablationTable("6")], tinyStudy()) }],
  repeats: 2,
  out: "study",
});

/** A crash: nothing of the process goes on. */
class Crash extends Error {}

/** A disk of runs and a trainer that saves after every step; a run's weights are a digest of all its steps. */
class FakeMachine {
  readonly disk = new Map<string, { step: number; weights: string }>();
  steps = 0;

  stateOf = async ({ name }: StudyRun): Promise<RunState> => {
    const found = this.disk.get(name);
    return found === undefined ? "missing" : found.step === STEPS ? "finished" : "begun";
  };

  /** Throws what `fail` gives before a step is saved. */
  launcher(fail: (run: StudyRun, step: number) => Error | "stop" | null): CarryRun {
    return async (run) => {
      for (;;) {
        const { step, weights } = this.disk.get(run.name) ?? { step: 0, weights: run.name };
        if (step === STEPS) return { kind: "finished" };
        const failure = fail(run, step);
        if (failure === "stop") return { kind: "stopped" };
        if (failure !== null) throw failure;
        this.steps++;
        this.disk.set(run.name, { step: step + 1, weights: digest(`${weights} ${step}`) });
      }
    };
  }

  score = async (run: StudyRun) => {
    const walk = random(Number.parseInt(this.disk.get(run.name)?.weights ?? "", 16), "dice");
    return scoresOf(
      run,
      Array.from({ length: 9 }, () => 100 * walk.uniform()),
    );
  };
}

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);
const quiet = () => undefined;

const carriedOut = (machine: FakeMachine, carry: CarryRun) =>
  carryOut(study, {
    launch: inTurn(carry, { note: quiet }),
    stateOf: machine.stateOf,
    score: machine.score,
    note: quiet,
  });

/** The table of a machine that nothing happens to. */
async function undisturbed() {
  const machine = new FakeMachine();
  const { scores } = await carriedOut(
    machine,
    machine.launcher(() => null),
  );
  return studyRows(study.cells, scores, "t6-12");
}

test("twenty kills at random moments end in the table of an uninterrupted study, and no step is made twice", async () => {
  const machine = new FakeMachine();
  const walk = random(7, "kills");
  let kills = 0;
  for (;;) {
    const moment = machine.steps + walk.integer(3);
    const launch = machine.launcher(() => (kills < 20 && machine.steps >= moment ? new Crash("killed") : null));
    try {
      const { scores, unfinished, stopped } = await carriedOut(machine, launch);
      expect([unfinished, stopped]).toEqual([[], false]);
      const rows = studyRows(study.cells, scores, "t6-12");
      expect(rows).toEqual(await undisturbed());
      expect(rows.every(({ complete }) => complete)).toBe(true);
      break;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      kills++;
    }
  }
  expect(kills).toBe(20);
  expect(machine.steps).toBe(study.runs.length * STEPS);
});

test("a run that fails stops no other, is listed, and leaves its row without numbers", async () => {
  const machine = new FakeMachine();
  const bad = study.cells[2]?.runs[1]?.name;
  const launch = machine.launcher(({ name }, step) =>
    name === bad && step === 2 ? new OutOfMemoryError("no memory") : null,
  );
  const { scores, unfinished, stopped } = await carriedOut(machine, launch);
  expect([unfinished, stopped]).toEqual([[{ run: bad, why: "no memory" }], false]);
  expect(scores.size).toBe(study.runs.length - 1);
  const rows = studyRows(study.cells, scores, "t6-12");
  expect(rows.map(({ complete }) => complete)).toEqual([true, true, false, true]);
  expect(rows[2]).toMatchObject({ strata: {}, pValue: null, pValueHolm: null, scoredAt: null });
  expect(rows[3]?.pValue).not.toBeNull();
  // Tried again, it goes on where it was, and the table is whole.
  const again = await carriedOut(
    machine,
    machine.launcher(() => null),
  );
  expect(studyRows(study.cells, again.scores, "t6-12")).toEqual(await undisturbed());
});

test("a signal ends the study after the run has saved; there are no scores then", async () => {
  const machine = new FakeMachine();
  const { scores, stopped } = await carriedOut(
    machine,
    machine.launcher(() => (machine.steps === 6 ? "stop" : null)),
  );
  expect([scores.size, stopped, machine.steps]).toEqual([0, true, 6]);
  let asked = 0;
  const stopping = { note: quiet, stopped: () => ++asked > 2 };
  const launch = inTurn(
    machine.launcher(() => null),
    stopping,
  );
  const between = await carryOut(study, { ...stopping, launch, stateOf: machine.stateOf, score: machine.score });
  expect([between.stopped, machine.steps]).toEqual([true, 12]);
});

test("a lost GPU, a bug and changed data end the study; a damaged checkpoint fails its run alone", async () => {
  const machine = new FakeMachine();
  const lost = new DeviceLostError("gone");
  await expect(
    carriedOut(
      machine,
      machine.launcher(() => lost),
    ),
  ).rejects.toBe(lost);
  const bug = new TypeError("a bug");
  await expect(
    carriedOut(
      machine,
      machine.launcher(() => bug),
    ),
  ).rejects.toBe(bug);
  const seen = async (error: Error) =>
    carryOut(study, {
      launch: inTurn(
        machine.launcher(() => null),
        { note: quiet },
      ),
      stateOf: async (run) => {
        if (run === study.runs[1]) throw error;
        return machine.stateOf(run);
      },
      score: machine.score,
      note: quiet,
    });
  await expect(seen(new DataError("changed"))).rejects.toThrow("changed");
  expect(machine.steps).toBe(0);
  const { unfinished, scores } = await seen(new CheckpointError("damaged"));
  expect(unfinished).toEqual([{ run: study.runs[1]?.name, why: "damaged" }]);
  expect(scores.size).toBe(study.runs.length - 1);
});

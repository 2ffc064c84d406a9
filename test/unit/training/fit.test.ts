import { describe, expect, test } from "vitest";
import { OutOfMemoryError } from "../../../src/errors.ts";
import { lower } from "../../../src/kernels/compile/lower.ts";
import { CHECKPOINTS } from "../../../src/kernels/passes/recompute.ts";
import { DEFAULT_TARGET } from "../../../src/kernels/target.ts";
import { fitted, fromZoo } from "../../../src/model/zoo.ts";
import { inferenceCosts, inferenceNeeds, trainingCosts, trainingNeeds } from "../../../src/training/costs.ts";
import { type Room, requireFit } from "../../../src/training/fit.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";

const GIB = 2 ** 30;
const LAPTOP: Room = { gpu: 20 * GIB, host: 20 * GIB, shared: true };

const sized = (name: string, size: number, base?: number) =>
  fitted(fromZoo(name).config, { classes: 2, height: size, width: size, base });

/** What is said of work that does not fit; the test fails where it fits. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof OutOfMemoryError) return error.message;
    throw error;
  }
  throw new Error("it was said to fit");
}

test.each(["unet", "nnunet", "pranet", "transnetr", "pspnet", "deeplabv3"])(
  "%s: what a plan needs at the least is nearly what it needs",
  (name) => {
    const config = sized(name, 128);
    for (const share of [
      inferenceNeeds(config, 1).gpu / inferenceCosts(config, 1).bytes,
      trainingNeeds(config, 2).gpu / trainingCosts(config, 2).bytes,
    ]) {
      expect(share).toBeLessThanOrEqual(1);
      expect(share).toBeGreaterThan(0.9);
    }
  },
);

test("SvANet trains at the paper's size in 10 GiB, and in 6.5 where activations are computed twice", () => {
  const { config } = fromZoo("svanet");
  expect(config).toMatchObject({ height: 512, width: 512 });
  expect(trainingCosts({ ...config, classes: 8 }, 4).bytes).toBeLessThan(10 * GIB);
  expect(trainingCosts({ ...config, classes: 8 }, 4, CHECKPOINTS).bytes).toBeLessThan(6.5 * GIB);
});

describe("work that is far too large", () => {
  test("is refused from its shapes, with figures and the largest size that fits", () => {
    const said = refusal(() => requireFit(sized("unet", 1_000_032, 4), { kind: "training", batch: 4 }, LAPTOP));
    expect(said).toMatch(/^training on batches of 4 images of 1000032x1000032 needs at least 1\.1 PiB of GPU memory/);
    expect(said).toContain("175 TiB of main memory, and there are 20 GiB in this machine for both");
    const largest = Number(/the largest --size that fits is about (\d+)/.exec(said)?.[1]);
    expect(largest % 32).toBe(0);
    expect(trainingCosts(sized("unet", largest, 4), 4).bytes).toBeLessThan(20 * GIB);
    expect(trainingCosts(sized("unet", Math.round((largest * 1.25) / 32) * 32, 4), 4).bytes).toBeGreaterThan(20 * GIB);
  });

  test("is told a size that fits with a reserve also where weights, which do not shrink, take most of the room", () => {
    const room: Room = { gpu: 220 * 2 ** 20, host: null, shared: false };
    const work = { kind: "inference", batch: 1 } as const;
    const said = refusal(() => requireFit(sized("unet", 512), work, room));
    const largest = Number(/the largest --size that fits is about (\d+)/.exec(said)?.[1]);
    expect(1.25 * inferenceNeeds(sized("unet", largest), 1).gpu).toBeLessThanOrEqual(room.gpu ?? 0);
    expect(1.25 * inferenceNeeds(sized("unet", largest + 64), 1).gpu).toBeGreaterThan(room.gpu ?? 0);
  });

  test("is told to compute activations twice where that makes it fit", () => {
    const room: Room = { gpu: 6 * GIB, host: null, shared: false };
    const work = { kind: "training", batch: 4 } as const;
    expect(refusal(() => requireFit(sized("svanet", 512), work, room))).toMatch(
      /needs at least 9\.\d GiB .*: with --checkpoint-activations it needs 4\.\d GiB and fits; else the largest --size that fits is about \d+/,
    );
    requireFit(sized("svanet", 512), { ...work, repeat: CHECKPOINTS }, room);
  });

  test("is refused for the host's memory alone where nobody knows the GPU's", () => {
    const room: Room = { gpu: null, host: GIB, shared: false };
    expect(refusal(() => requireFit(sized("unet", 20_000, 4), { kind: "inference", batch: 1 }, room))).toContain(
      "and there are 1.0 GiB in this machine: the largest --size that fits is about",
    );
    requireFit(sized("unet", 4096, 4), { kind: "inference", batch: 1 }, room);
  });

  test("is told to shrink elsewhere where no size is small enough", () => {
    const room: Room = { gpu: 2 ** 20, host: null, shared: false };
    expect(refusal(() => requireFit(sized("svanet", 512), { kind: "inference", batch: 1 }, room))).toMatch(
      /there are 1\.0 MiB on a GPU: use a smaller --width or --batch-size$/,
    );
  });

  test("is never planned nor written as shaders: both would take minutes and gigabytes", () => {
    const config = sized("unet", 1_000_032, 4);
    expect(refusal(() => inferenceCosts(config, 1))).toContain("more than any GPU has");
    expect(refusal(() => lower(inferenceTrace(config, { batch: 1 }).graph, DEFAULT_TARGET))).toMatch(
      /works on \d+ GiB of memory at once, .*, and a kernel of this GPU takes 8 pieces of at most 0.125 GiB; use a smaller/,
    );
  });
});

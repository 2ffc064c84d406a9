import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkers } from "../../../src/parity/check-files.ts";
import { compare } from "../../../src/parity/compare.ts";
import { checkImages } from "../../../src/parity/images.ts";
import { checkMetrics } from "../../../src/parity/metrics.ts";
import { runParity } from "../../../src/parity/run.ts";
import { checkSchedule } from "../../../src/parity/schedule.ts";
import { gradientTolerance, TOLERANCE } from "../../../src/parity/tolerance.ts";
import {
  encodeSafetensors,
  parseSafetensors,
  type StoredTensor,
  storeFloat32,
} from "../../../src/weights/safetensors.ts";

const golden = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const CHECKERS: Checkers = { "ops/schedule": checkSchedule, "ops/images": checkImages, metrics: checkMetrics };
const FILES = {
  schedule: "ops/schedule.safetensors",
  images: "ops/images.safetensors",
  metrics: "metrics/metrics.safetensors",
} as const;

interface Contents {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Map<string, string>;
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-parity-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes a changed copy of a golden file and checks it. */
async function spoil(file: keyof typeof FILES, change: (contents: Contents) => void) {
  const bytes = new Uint8Array(await readFile(join(golden, FILES[file])));
  const contents = parseSafetensors(bytes, file);
  change(contents);
  return await checkBytes(FILES[file], encodeSafetensors(contents.tensors, contents.metadata));
}

async function checkBytes(place: string, bytes: Uint8Array) {
  const path = join(folder, place);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, bytes);
  return await runParity([path], CHECKERS);
}

function change(contents: Contents, name: string, edit: (values: DataView) => void): void {
  const tensor = contents.tensors.get(name) as StoredTensor;
  const bytes = tensor.bytes.slice();
  edit(new DataView(bytes.buffer));
  contents.tensors.set(name, { ...tensor, bytes });
}

const firstCase = (contents: Contents): string => [...contents.metadata.keys()][0] as string;

describe("whole copies pass", () => {
  test("the last line counts files, cases, values and failures", async () => {
    const { text, exitCode, failures } = await runParity(
      Object.values(FILES).map((file) => join(golden, file)),
      CHECKERS,
    );
    expect(failures).toEqual([]);
    expect(exitCode).toBe(0);
    expect(text.split("\n").at(-1)).toMatch(
      /^files 3, cases \d+, values compared \d+, worst ratio to tolerance 0\.\d+, failures 0$/,
    );
  });

  test("the table names the tensor that came nearest to its tolerance", async () => {
    const edit = (view: DataView) => view.setFloat32(0, view.getFloat32(0, true) * 1.000004, true);
    const { files, text } = await spoil("metrics", (contents) => change(contents, "all.micro_dice", edit));
    expect(files).toMatchObject([{ worstTensor: "all.micro_dice", failures: [] }]);
    expect(text).toMatch(/0\.\d+ +all\.micro_dice +pass/);
  });

  test("folders are searched", async () => {
    const root = join(folder, "tree");
    await cp(join(golden, "metrics"), join(root, "deep", "metrics"), { recursive: true });
    expect((await runParity([root], CHECKERS)).files).toHaveLength(1);
  });
});

/** A run must fail and its report hold these words and the path. */
const expectFailure = async (result: ReturnType<typeof spoil>, ...words: string[]) => {
  const { exitCode, text, failures } = await result;
  expect(exitCode).toBe(1);
  expect(failures.length).toBeGreaterThan(0);
  for (const word of [...words, folder]) expect(text).toContain(word);
};

describe("spoilt values fail and are named", () => {
  test.each([
    ["a share", "share_pixels", 1],
    ["a mean", "all.micro_dice", 0],
    ["a p-value", "test.wilcoxon", 0],
    ["an object's class", "objects_release", 1],
    ["an E-measure", "lt1.e_release", 0],
  ])("%s, slightly changed", (_name, tensor, index) => {
    const edit = (view: DataView) => view.setFloat32(4 * index, view.getFloat32(4 * index, true) * 1.00003, true);
    return expectFailure(
      spoil("metrics", (contents) => change(contents, tensor, edit)),
      `/ ${tensor}: 1 of`,
      `worst at index ${index}: got `,
    );
  });

  test("a count", () =>
    expectFailure(
      spoil("metrics", (contents) =>
        change(contents, "table1_pixels", (view) => view.setInt32(0, view.getInt32(0, true) + 1, true)),
      ),
      "table1_pixels",
    ));

  test("a label map", () =>
    expectFailure(
      spoil("metrics", (contents) => change(contents, "target", (view) => view.setInt32(0, 1, true))),
      "all.truth",
    ));

  test("a NaN, in outputs and inputs", async () => {
    const nan = (view: DataView) => view.setFloat32(0, Number.NaN, true);
    await expectFailure(
      spoil("metrics", (contents) => change(contents, "roc.tpr", nan)),
      "roc.tpr: 1 of 102 values",
      "expected NaN",
    );
    await expectFailure(
      spoil("metrics", (contents) => change(contents, "test.one", nan)),
      "/ test: Values",
    );
  });
});

describe("spoilt structure fails and is named", () => {
  test("a picture with a changed byte, another shape or another source", async () => {
    const next = (view: DataView) => view.setInt32(400, view.getInt32(400, true) + 1, true);
    await expectFailure(
      spoil("images", (contents) => change(contents, "flip.output", next)),
      "/ flip / flip.output: 1 of",
      "allowed difference 0",
    );
    await expectFailure(
      spoil("images", ({ tensors }) => {
        const mask = tensors.get("source.mask") as StoredTensor;
        tensors.set("source.mask", { ...mask, shape: [...mask.shape, 1] });
      }),
      'tensor "source.mask" of shape',
    );
    await expectFailure(
      spoil("images", ({ tensors }) => tensors.delete("source.image")),
      '"source.image" is missing',
    );
  });

  test("a missing tensor", () =>
    expectFailure(
      spoil("metrics", ({ tensors }) => tensors.delete("all.class_f2")),
      'tensor "all.class_f2" is missing',
    ));

  test("an extra tensor", () =>
    expectFailure(
      spoil("metrics", ({ tensors }) => tensors.set("all.novelty", storeFloat32(Float32Array.of(1), [1]))),
      "/ all / all.novelty: tensor was consumed by no check",
    ));

  test("a wrong shape", () =>
    expectFailure(
      spoil("metrics", ({ tensors }) => {
        const fpr = tensors.get("roc.fpr") as StoredTensor;
        tensors.set("roc.fpr", { ...fpr, shape: [2, ...fpr.shape.map((side) => side / 2)] });
      }),
      "roc.fpr: shape [102], expected [2, 51]",
    ));

  test("a wrong type", () =>
    expectFailure(
      spoil("metrics", ({ tensors }) => {
        tensors.set("roc.truth", { ...(tensors.get("roc.truth") as StoredTensor), dtype: "F32" });
      }),
      'tensor "roc.truth" has type F32, expected I32',
    ));

  test("changed metadata", async () => {
    await expectFailure(
      spoil("metrics", ({ metadata }) => metadata.set("classes", "2")),
      "only 2 classes",
    );
    await expectFailure(
      spoil("metrics", ({ metadata }) => metadata.set("extra", "1")),
      "extra: metadata entry",
    );
    await expectFailure(
      spoil("metrics", ({ metadata }) => metadata.delete("ignore_index")),
      '"ignore_index"',
    );
  });
});

describe("spoilt cases and places fail and are named", () => {
  test("a changed, missing or extra attribute", async () => {
    const edit = (from: string, to: string) => (contents: Contents) => {
      const name = firstCase(contents);
      contents.metadata.set(name, (contents.metadata.get(name) as string).replace(from, to));
    };
    await expectFailure(spoil("schedule", edit('"low": 1e-06', '"low": 2e-06')), "values beyond tolerance");
    await expectFailure(spoil("schedule", edit('"op": "paper"', '"op": "linear"')), '"op" of case', '"linear"');
    await expectFailure(spoil("schedule", edit('"op": "paper", ', "")), '"op" of case', "it is missing");
    await expectFailure(
      spoil("schedule", edit('"op"', '"warm": 3, "op"')),
      'attribute "warm" was consumed by no check',
    );
    await expectFailure(spoil("schedule", edit("{", "[")), "not valid JSON");
  });

  test("a missing or an extra case", async () => {
    await expectFailure(
      spoil("schedule", (contents) => contents.tensors.delete(`${firstCase(contents)}.rate`)),
      "is missing",
    );
    await expectFailure(
      spoil("schedule", (contents) => contents.metadata.delete(firstCase(contents))),
      "the metadata has no entry",
    );
    await expectFailure(
      spoil("schedule", ({ metadata }) => metadata.set("more", '{"op": "paper"}')),
      "/ more: attribute",
    );
    await expectFailure(
      spoil("schedule", ({ metadata, tensors }) => {
        metadata.clear();
        tensors.clear();
      }),
      "nothing was compared",
    );
  });

  test("a truncated file, an unknown folder, an unknown stem", async () => {
    const bytes = new Uint8Array(await readFile(join(golden, FILES.schedule)));
    await expectFailure(checkBytes(FILES.schedule, bytes.subarray(0, bytes.length - 4)), "truncated");
    await expectFailure(checkBytes("ops/novelty.safetensors", bytes), 'no check is known for "ops/novelty"');
    await expectFailure(checkBytes("opps/schedule.safetensors", bytes), 'no check is known for "opps"');
    await expectFailure(checkBytes("toString/schedule.safetensors", bytes), 'no check is known for "toString"');
  });

  test("paths without files", async () => {
    const empty = join(folder, "empty");
    await mkdir(empty);
    await expectFailure(runParity([empty], CHECKERS), "no .safetensors file found");
    await expectFailure(runParity([join(folder, "absent")], CHECKERS), "no such file");
    expect((await runParity([], CHECKERS)).exitCode).toBe(1);
  });
});

describe("comparison", () => {
  const tensor = (...values: number[]) => ({ name: "x", shape: [values.length], data: Float32Array.from(values) });
  const against = (got: number[], expected: number[]) =>
    compare({ shape: [got.length], data: got }, tensor(...expected), TOLERANCE.op);

  test("gives the worst value in units of the tolerance", () => {
    expect(against([4, 2 + 4e-5, 1], [4, 2, 1])).toMatchObject({ values: 3, beyond: 0 });
    expect(against([4, 2 + 4e-5, 1], [4, 2, 1]).worst).toBeCloseTo(0.5, 6);
    const { beyond, mismatch } = against([4, 2.5, 1.25], [4, 2, 1]);
    expect(beyond).toBe(2);
    expect(mismatch).toMatchObject({ index: 1, got: 2.5, expected: 2 });
  });

  test("nothing finite matches infinities and NaN, not even themselves", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(against([value], [value])).toMatchObject({ beyond: 1, worst: Number.POSITIVE_INFINITY });
      expect(against([1], [value]).beyond).toBe(1);
      expect(against([value], [1]).beyond).toBe(1);
    }
  });

  test("shapes must agree and hold something", () => {
    expect(against([1, 2], [1]).problem).toBe("shape [2], expected [1]");
    expect(against([], []).problem).toBe("the golden tensor is empty");
    expect(compare({ shape: [2], data: [1] }, tensor(1, 2), TOLERANCE.op).problem).toBe("1 values, expected 2");
  });

  test("gradients of networks obey both bounds", () => {
    const allowed = gradientTolerance(10);
    expect(allowed(10, 0)).toBeCloseTo(0.01, 12);
    expect(allowed(1, 0)).toBeCloseTo(0.005, 12);
    expect(allowed(0, 0)).toBeCloseTo(5e-5, 12);
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { NiftiVolume } from "../../../src/data/formats/nifti.ts";
import { decodeNifti } from "../../../src/data/formats/nifti-file.ts";
import { pairedLabels } from "../../../src/data/formats/placement.ts";
import { parseReading } from "../../../src/data/masks/parse-reading.ts";
import { type NiftiSpec, niftiBytes } from "../../support/raw/nifti.ts";
import { fresh, run, stems, values } from "../../support/raw/prepare.ts";
import * as trees from "../../support/raw/trees.ts";

const SHAPE = [5, 4, 3];
/** As converters of DICOM write scans: to the left, back and head, first voxel at the right front. */
const LPS = [-0.8, 0, 0, 30, 0, -0.8, 0, 20, 0, 0, 3, -40];

const volume = (name: string, spec: Partial<NiftiSpec>) =>
  decodeNifti(niftiBytes({ shape: SHAPE, value: (index) => index % 7, type: "int16", ...spec }), name);
const scan = volume("scan.nii", { affine: LPS });

/** All slices in the orientation in which the scan is shown. */
const slices = (one: NiftiVolume) => Array.from({ length: one.size[2] }, (_, z) => [...one.slice(z).values]).flat();

/** The same affine with numbers changed at places. */
const changed = (changes: Readonly<Record<number, number>>) => LPS.map((value, at) => changes[at] ?? value);

describe("labels that lie where their scan lies", () => {
  test("whatever the order and direction of the stored axes", () => {
    // The array of the scan turned round: z, y, x with y and z running backwards.
    const [nx = 0, ny = 0, nz = 0] = SHAPE;
    const value = (index: number) => {
      const [k, j, i] = [index % nz, Math.floor(index / nz) % ny, Math.floor(index / (nz * ny))];
      return (i + nx * (ny - 1 - j + ny * (nz - 1 - k))) % 7;
    };
    const affine = [0, 0, -0.8, 30, 0, 0.8, 0, 20 - 0.8 * (ny - 1), -3, 0, 0, -40 + 3 * (nz - 1)];
    const label = volume("label.nii", { shape: [nz, ny, nx], value, affine });
    const paired = pairedLabels(scan, label, false);
    expect(paired.note).toBeUndefined();
    expect(slices(paired.label)).toEqual(slices(scan));
  });

  test("by sform and by qform, with the rounding of both", () => {
    const qform = { quaternion: [0, 0, 1], offset: [30, 20, -40], pixdim: [1, 0.8, 0.8, 3] };
    expect(pairedLabels(scan, volume("label.nii", { qform }), false).note).toBeUndefined();
    expect(
      pairedLabels(scan, volume("label.nii", { affine: changed({ 3: 30.001, 0: -0.80001 }) }), false).note,
    ).toBeUndefined();
  });
});

describe("labels whose header disagrees", () => {
  const eye = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
  const WRONG: readonly (readonly [string, Partial<NiftiSpec>, string])[] = [
    ["identity", { affine: eye }, "axes RAS, voxels of 1 x 1 x 1 mm, the first at 0, 0, 0 mm"],
    ["no orientation", {}, "no orientation, voxels of 1 x 1 x 1 mm"],
    ["half a voxel off", { affine: changed({ 3: 30.4 }) }, "the first at 30.4, 20, -40 mm"],
    ["other spacing", { affine: changed({ 10: 2.5 }) }, "voxels of 0.8 x 0.8 x 2.5 mm"],
    ["mirrored", { affine: changed({ 0: 0.8 }) }, "axes RPS"],
    ["mirrored in place", { affine: changed({ 0: 0.8, 3: 30 - 0.8 * 4 }), value: (index) => index % 2 }, "axes RPS"],
  ];

  test.each(WRONG.slice(0, 5))("%s: refused, naming both; in trust paired voxel by voxel", (_, spec, says) => {
    const label = volume("label.nii", spec);
    const message = `label.nii: the headers of the labels (`;
    expect(() => pairedLabels(scan, label, false)).toThrow(message);
    expect(() => pairedLabels(scan, label, false)).toThrow(says);
    expect(() => pairedLabels(scan, label, false)).toThrow(
      "and the scan scan.nii (axes LPS, voxels of 0.8 x 0.8 x 3 mm, the first at 30, 20, -40 mm) disagree on the place in the " +
        "patient; write the labels with the scan's header, or add --trust-order, which pairs voxels by number",
    );
    const trusted = pairedLabels(scan, label, true);
    expect(slices(trusted.label)).toEqual(slices(scan));
    expect(trusted.note).toMatch(/^label\.nii: .* voxels were paired by number$/);
  });

  test("a grid that is the same, mirrored, is turned by its axes even where the order is trusted", () => {
    const label = volume("label.nii", WRONG[5]?.[1] ?? {});
    const { label: paired, note } = pairedLabels(scan, label, true);
    expect([note, paired.header.affine[0]]).toEqual([undefined, label.header.affine[0]]);
  });

  test("other sizes are refused in any case, as are several volumes of labels", () => {
    const small = volume("label.nii", { shape: [4, 4, 3], affine: LPS });
    expect(() => pairedLabels(scan, small, true)).toThrow("label.nii: the labels have 4x4x3 voxels");
    const several = volume("label.nii", { shape: [5, 4, 3, 2], affine: LPS });
    expect(() => pairedLabels(scan, several, false)).toThrow("label.nii: 2 volumes of labels in one file");
  });
});

describe("prepare nifti", () => {
  function rawFolder(label: Partial<NiftiSpec>): string {
    const raw = fresh();
    for (const name of ["a", "b"]) {
      trees.put(raw, `imagesTr/${name}_0000.nii`, niftiBytes({ shape: SHAPE, value: (at) => at, affine: LPS }));
      trees.put(
        raw,
        `labelsTr/${name}.nii`,
        niftiBytes({ shape: SHAPE, value: (at) => at % 3, affine: LPS, ...label }),
      );
    }
    return raw;
  }

  test("--trust-order is asked for in the refusal, and said in the notes", async () => {
    const raw = rawFolder({ affine: eye() });
    await expect(run("nifti", raw, fresh(), { test: 0.5 })).rejects.toThrow(
      /a\.nii: .*scan .*a_0000\.nii .*--trust-order/,
    );
    const { notes } = await run("nifti", raw, fresh(), { test: 0.5, trustOrder: true });
    expect(notes.join("\n")).toContain("voxels were paired by number");
  });

  test("labels scaled by a slope are whole within 1e-4; a threshold or map reads others", async () => {
    const scaled = rawFolder({ type: "int16", value: (at) => 10 * (at % 3), slope: 0.1 });
    const out = fresh();
    await run("nifti", scaled, out, { test: 0.5 });
    expect(await values(out, stems(out, "train")[0]?.replace(".png", "") ?? "")).toEqual([0, 1, 2]);
    const soft = rawFolder({ type: "float32", value: (at) => (at % 3) / 2 });
    await expect(run("nifti", soft, fresh(), { test: 0.5 })).rejects.toThrow(/holds the value 0\.5, no whole number/);
    const cut = fresh();
    const threshold = parseReading({ threshold: 0.5 });
    await run("nifti", soft, cut, { test: 0.5, ...(threshold ? { reading: threshold } : {}) });
    expect(await values(cut, stems(cut, "train")[0]?.replace(".png", "") ?? "")).toEqual([0, 1]);
    const nan = rawFolder({ type: "float32", value: () => Number.NaN });
    await expect(run("nifti", nan, fresh(), { test: 0.5 })).rejects.toThrow(
      /\d+ labels in slice 0 are NaN or infinite/,
    );
  });

  test("several channels are refused by name; dataset.json names the classes", async () => {
    const raw = rawFolder({});
    writeFileSync(
      join(raw, "dataset.json"),
      JSON.stringify({ labels: { 0: "background", 1: "Anterior", 2: "Posterior" } }),
    );
    const out = fresh();
    await run("nifti", raw, out, { test: 0.5 });
    expect(await values(out, stems(out, "train")[0]?.replace(".png", "") ?? "")).toEqual([0, 1, 2]);
    trees.put(raw, "imagesTr/a_0001.nii", niftiBytes({ shape: SHAPE, value: (at) => at, affine: LPS }));
    await expect(run("nifti", raw, fresh())).rejects.toThrow(
      /imagesTr: several channels a case are not supported: a has _0000, _0001; give a folder with one channel/,
    );
  });
});

function eye(): readonly number[] {
  return [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
}

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readDicom } from "../../../src/data/formats/dicom.ts";
import { sortSeries, spacingNotes } from "../../../src/data/formats/dicom-series.ts";
import { listInputs } from "../../../src/experiment/predict/predict-inputs.ts";
import { readSeries } from "../../../src/experiment/predict/predict-scan.ts";
import { ctElements, dicomBytes, type Element, segElements } from "../../support/raw/dicom.ts";
import { fresh, run } from "../../support/raw/prepare.ts";
import * as trees from "../../support/raw/trees.ts";

const SHAPE = { rows: 2, columns: 3 };
const bytes = (z: number, extra: readonly Element[] = [], series = "1.2") =>
  dicomBytes(ctElements({ ...SHAPE, series, instance: `${series}.${z}`, z, values: [0, 1, 2, 3, 4, 5], extra }));
const image = (z: number, extra: readonly Element[] = []) => readDicom(bytes(z, extra), `${z}.dcm`);
const PIXELS: Element = [0x0028, 0x0030, "DS", "0.7\\0.7"];
const at = (z: number, x: number) => image(z, [[0x0020, 0x0032, "DS", `${x}\\-20\\${z}`]]);
const places = (images: readonly { readonly position: readonly number[] | undefined }[]) =>
  images.map(({ position }) => position?.[2]);

describe("slices at equal distances", () => {
  test("a gap is refused with the places and ITK's figure, and taken where it is allowed", () => {
    const gap = [image(15), image(0), image(3)];
    expect(() => sortSeries(gap)).toThrow(
      "0.dcm: non-uniform sampling or missing slices in its series, maximum nonuniformity 4.5 mm: slices lie at 0, 3, 15 mm " +
        "along their normal; add the slices that are missing, or --allow-gaps takes those that are there",
    );
    expect(places(sortSeries(gap, true))).toEqual([0, 3, 15]);
    expect(spacingNotes("scan", sortSeries(gap, true), true)).toEqual([
      "scan: slices lie at 0, 3, 15 mm along their normal; NIfTI holds one distance only and says every 7.5 mm, so what it shows " +
        "between the first and the last slice lies elsewhere in the patient",
    ]);
  });

  test("of many slices the widest gap is named", () => {
    const many = Array.from({ length: 20 }, (_, z) => image(z < 9 ? z : z + 1));
    expect(() => sortSeries(many)).toThrow("the widest gap lies between 8.dcm at 8 mm and 10.dcm at 10 mm;");
  });

  test("slices set aside, mixed steps and sizes of pixels are refused; rounding and tilted stacks are not", () => {
    expect(() => sortSeries([at(0, 0), at(3, 2), at(6, 0)])).toThrow("maximum nonuniformity");
    expect(() => sortSeries([0, 1, 2, 3, 4.5, 6, 7.5].map((z) => image(z)))).toThrow("maximum nonuniformity");
    const rounded = [0, 0.6, 1.3, 1.9, 2.5, 3.1, 3.8];
    expect(places(sortSeries(rounded.map((z) => image(z))))).toEqual(rounded);
    expect(sortSeries([at(0, 0), at(3, 1), at(6, 2)])).toHaveLength(3);
    const other = image(1, [[0x0028, 0x0030, "DS", "0.8\\0.8"]]);
    expect(() => sortSeries([image(0, [PIXELS]), other])).toThrow(
      /1\.dcm: .*pixels of 0\.8 x 0\.8 mm in a series of 0\.7 x 0\.7 mm \(0\.dcm\)/,
    );
  });

  test("a position that only some have, and one place twice", () => {
    expect(() => sortSeries([image(0), image(1, [[0x0020, 0x0032, "DS", ""]])])).toThrow(
      /1\.dcm: .*says no position or direction, others of the same series do/,
    );
    expect(() => sortSeries([image(1), image(2), image(1)])).toThrow(
      /has the same place as 1\.dcm in one series; keep rep/,
    );
  });

  test("headers that tell another distance are a warning", () => {
    const told = [0, 6, 12].map((z) => image(z, [[0x0018, 0x0088, "DS", "3"]]));
    expect(spacingNotes("scan", sortSeries(told), true)).toEqual([
      "scan: slices lie 6 mm apart, their headers say 3 mm; some may be missing",
    ]);
    const thin = [0, 15].map((z) => image(z, [[0x0018, 0x0050, "DS", "3"]]));
    expect(spacingNotes("scan", sortSeries(thin), true)).toEqual([
      "scan: slices lie 15 mm apart and are 3 mm thick; some may be missing",
    ]);
    const usual = [0, 3.3].map((z) => image(z, [[0x0018, 0x0050, "DS", "3"]]));
    expect(spacingNotes("scan", sortSeries(usual), true)).toEqual([]);
  });
});

describe("no slice is passed over", () => {
  const seriesIn = (folder: string) => {
    const [input] = listInputs([folder]);
    return readSeries(input?.kind === "dicom" ? input.files : []);
  };

  test("predict: a slice that is no DICOM any more, or lost its image, is named", async () => {
    const folder = fresh();
    for (const z of [0, 3, 6]) trees.put(folder, `IM${z}`, bytes(z));
    trees.put(folder, "README", Buffer.from("from the scanner"));
    expect([...(await seriesIn(folder)).values()].map((images) => images.length)).toEqual([3]);
    trees.put(folder, "IM9", Buffer.from("lost"));
    await expect(seriesIn(folder)).rejects.toThrow(/IM9: the DICOM file is damaged/);
    const image = ctElements({ ...SHAPE, series: "1.2", instance: "1.2.9", z: 9, values: [] });
    const shape = new Set([0x0010, 0x0011]);
    const without = image.filter(([group, element]) => group !== 0x7fe0 && !(group === 0x28 && shape.has(element)));
    writeFileSync(join(folder, "IM9"), dicomBytes(without));
    await expect(seriesIn(folder)).rejects.toThrow(/IM9: .*it belongs to a series of images and holds none/);
    writeFileSync(join(folder, "IM9"), dicomBytes(image.filter(([group]) => group !== 0x7fe0)));
    await expect(seriesIn(folder)).rejects.toThrow(/IM9: .*3x2 pixels are announced, none is there/);
  });

  test("prepare: a frame on an absent slice, a gap, a file that is none", async () => {
    const tree = () => {
      const raw = fresh();
      trees.dicomTree(raw);
      return raw;
    };
    const lost = tree();
    rmSync(join(lost, "DOE^JANE/export/IM2.dcm"));
    await expect(run("dicom", lost, fresh())).rejects.toThrow(
      /seg\.dcm: 1 of its 2 frames lie on slices that are not there \(frame 2\); add the missing slices, or --allow-gaps/,
    );
    const { notes } = await run("dicom", lost, fresh(), { allowGaps: true });
    expect(notes).toContain("A segmentation lost frames: 1 of its 2 frames lie on slices that are not there");
    const gap = tree();
    const file = join(gap, "DOE^JANE/export/IM3.dcm");
    const far = ctElements({
      rows: 6,
      columns: 8,
      series: "1.2.3.1",
      instance: "9",
      z: 40,
      values: new Array(48).fill(9),
    });
    writeFileSync(file, dicomBytes(far));
    await expect(run("dicom", gap, fresh())).rejects.toThrow(/maximum nonuniformity .*0, 5, 10, 40 mm/);
    const said = await run("dicom", gap, fresh(), { allowGaps: true });
    expect(said.notes.join("\n")).toMatch(/patient001_series001: slices lie at 0, 5, 10, 40 mm along their normal\n/);
    writeFileSync(file, readFileSync(file).subarray(0, 20));
    await expect(run("dicom", gap, fresh())).rejects.toThrow(/IM3\.dcm: the DICOM file is damaged/);
  });

  test("a segmentation of a series that is not there is said to be left out", async () => {
    const raw = fresh();
    trees.dicomTree(raw);
    const frames = [{ segment: 1, instance: "7.7.7", z: 5, pixels: new Array(48).fill(1) }];
    const other = segElements({ series: "7.7", rows: 6, columns: 8, labels: ["tumour"], frames });
    trees.put(raw, "other/seg.dcm", dicomBytes(other));
    const { notes } = await run("dicom", raw, fresh());
    expect(notes).toContain("1 segmentations were drawn on series that are not there and were left out");
  });
});

import { basename, join } from "node:path/posix";
import { z } from "zod";
import { DataError } from "../../../errors.ts";
import { readBytes } from "../../decode.ts";
import { parseYaml, YamlFault } from "../../yaml-text.ts";
import { type AnnotatedPicture, type NamedShape, planAnnotated } from "./annotated.ts";
import { asSchema } from "./json-file.ts";
import { counted, type Layout, like, unlike } from "./layout.ts";
import { folderOf, type RawTree, splitOfPath, stemOf } from "./raw-tree.ts";

const EXPECTED =
  "images/NAME.jpg and labels/NAME.txt (also in train/ and val/), each line a class number and a polygon as x y x y ... in shares " +
  "of the sides, class names in data.yaml";
const namesSchema = z.looseObject({
  names: z.union([z.array(z.string().min(1)), z.record(z.string(), z.string().min(1))]),
});
const NAME_FILES = ["classes.txt", "obj.names", "labels.txt"];

/** The label file of a picture: Ultralytics puts `labels` for the last `images` of its path; or it lies beside the picture. */
function labelFileOf(tree: ReadonlySet<string>, image: string): string | undefined {
  const folder = folderOf(image);
  const names = folder.split("/");
  const last = names.lastIndexOf("images");
  const own = `${stemOf(image)}.txt`;
  const places = [last < 0 ? folder : join(...names.with(last, "labels")), folder];
  return places.map((place) => join(place, own)).find((file) => tree.has(file));
}

interface Labelled {
  readonly image: string;
  readonly label: string | undefined;
}

function labelledIn(tree: RawTree): readonly Labelled[] {
  const files = new Set(tree.files);
  const all = tree.pictures().map((image) => ({ image, label: labelFileOf(files, image) }));
  // Pictures of a folder where none has a label file are no part of the set.
  const folders = new Set(all.filter(({ label }) => label !== undefined).map(({ image }) => folderOf(image)));
  return all.filter(({ image }) => folders.has(folderOf(image)));
}

/** The names by class number, and where they stand. */
async function namesIn(tree: RawTree): Promise<{ names: ReadonlyMap<number, string>; from: string } | undefined> {
  for (const file of tree.files.filter((name) => /\.ya?ml$/i.test(name))) {
    const path = tree.path(file);
    try {
      const { value } = parseYaml((await readBytes(path)).toString("utf8"));
      if (!("names" in Object(value))) continue;
      const { names } = asSchema(namesSchema, value, path);
      return { names: new Map(Object.entries(names).map(([number, name]) => [Number(number), name])), from: file };
    } catch (error) {
      if (!(error instanceof YamlFault)) throw error;
      throw new DataError(
        `${path}${error.line === undefined ? "" : `, line ${error.line}`}: this is no YAML: ${error.message}`,
      );
    }
  }
  const list = tree.files.find((file) => NAME_FILES.includes(basename(file)));
  if (list === undefined) return undefined;
  const lines = (await readBytes(tree.path(list))).toString("utf8").split(/\r?\n/);
  const named = lines.map((name) => name.trim()).filter((name) => name !== "");
  return { names: new Map(named.map((name, at) => [at, name])), from: list };
}

/** What is wrong with a line, a clause; undefined for a polygon. */
function faultOf(words: readonly string[]): string | undefined {
  const [label = "", ...numbers] = words;
  if (!/^\d+$/.test(label)) return `begins with ${JSON.stringify(label)}, which is no class number`;
  const odd = numbers.find((word) => word === "" || !Number.isFinite(Number(word)));
  if (odd !== undefined) return `holds ${JSON.stringify(odd)}, which is no number`;
  if (numbers.length === 4)
    return "holds a class and four numbers: a box of a detector, no outline; YOLO-seg has a polygon there";
  if (numbers.length < 6 || numbers.length % 2 === 1) {
    return `holds ${numbers.length} numbers behind the class; a polygon has an even number of them, at least six`;
  }
  const beyond = numbers.find((word) => Math.abs(Number(word)) > 2);
  return beyond && `holds ${beyond}; corners are shares of the picture's sides, 0 to 1`;
}

interface Line {
  readonly number: number;
  readonly words: readonly string[];
}

async function linesOf(tree: RawTree, file: string): Promise<readonly Line[]> {
  const text = (await readBytes(tree.path(file))).toString("utf8");
  const lines = text.split("\n").map((line, at) => ({ number: at + 1, words: line.trim().split(/\s+/) }));
  return lines.filter(({ words }) => words[0] !== "");
}

async function shapesOf(
  tree: RawTree,
  file: string,
  nameOf: (label: number) => string,
): Promise<readonly NamedShape[]> {
  return (await linesOf(tree, file)).map(({ number, words }) => {
    const fault = faultOf(words);
    if (fault !== undefined) throw new DataError(`${tree.path(file)}, line ${number}: ${fault}; mend the line`);
    const ring = words.slice(1).map(Number);
    const outline = { kind: "polygons", polygons: [[ring]], relative: true } as const;
    return { name: nameOf(Number(words[0])), place: `line ${number}`, outline };
  });
}

/** Ultralytics' format of segmentation. */
export const yolo: Layout = {
  name: "yolo",
  title: "YOLO-seg",
  summary: "YOLO-seg txt: a polygon a line, names in data.yaml",
  expected: EXPECTED,
  async recognise(tree) {
    const labelled = labelledIn(tree);
    if (labelled.length === 0) return unlike(0, "no picture has a text file of its name, beside it or in labels/");
    for (const { label } of labelled) {
      const [first] = label === undefined ? [] : await linesOf(tree, label);
      if (first === undefined) continue;
      const fault = faultOf(first.words);
      if (fault !== undefined)
        return unlike(fault.includes("a box") ? 0.9 : 0.4, `${label}, line ${first.number}: ${fault}`);
      const labels = labelled.filter((one) => one.label !== undefined).length;
      const found = await namesIn(tree);
      const names =
        found === undefined
          ? "no file names the classes"
          : `${found.from} names ${counted(found.names.size, "class", "classes")}`;
      return like(
        "",
        `${label}, line ${first.number}, is a class number and a polygon, as in ${counted(labels, "text file")}; ${names}`,
      );
    }
    return unlike(0.5, "all text files beside pictures are empty");
  },
  async plan(tree, _root, settings) {
    const found = await namesIn(tree);
    const nameOf = (label: number) => found?.names.get(label) ?? `class ${label}`;
    const pictures: AnnotatedPicture[] = [];
    for (const { image, label } of labelledIn(tree)) {
      const shapes = label === undefined ? [] : await shapesOf(tree, label, nameOf);
      pictures.push({ image, file: label ?? image, split: splitOfPath(image), shapes });
    }
    const used = pictures.flatMap(({ shapes }) => shapes.map(({ name }) => name));
    const named = [...(found?.names ?? [])].sort(([a], [b]) => a - b).map(([, name]) => name);
    const numbers = new Intl.Collator("en", { numeric: true });
    const unnamed = [...new Set(used)].filter((name) => !named.includes(name)).sort(numbers.compare);
    return planAnnotated(tree, "pictures", { pictures, names: [...named, ...unnamed], notes: [] }, settings);
  },
};

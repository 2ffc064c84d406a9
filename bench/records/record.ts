import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** How a column's numbers are written. */
const FORMATS = ["text", "three", "two", "rate", "share"] as const;

const text = z.string().min(1);

/** One table of figures, with all that a figure needs to mean something. Files of this folder: `DATE-ADAPTER-WHAT.json`. */
export const RECORD = z
  .strictObject({
    title: text,
    /** Predicted ones come from a model of a card that nobody ran. */
    kind: z.enum(["measured", "predicted"]),
    adapter: text,
    driver: text,
    machine: text,
    date: z.string().regex(/^\d{4}-\d\d-\d\d$/),
    /** What else the machine did, where that is known. */
    load: text.nullable(),
    command: text,
    columns: z.array(z.strictObject({ key: text, title: text, format: z.enum(FORMATS) })).min(1),
    /** A cell by its column's key; null where nothing was measured. */
    rows: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))).min(1),
    note: text.nullable(),
  })
  .superRefine(({ columns, rows }, context) => {
    const keys = columns.map(({ key }) => key).sort();
    for (const [i, row] of rows.entries()) {
      if (Object.keys(row).sort().join() === keys.join()) continue;
      context.addIssue({ code: "custom", path: ["rows", i], message: `has ${Object.keys(row)} instead of ${keys}` });
    }
  });

export type BenchRecord = z.infer<typeof RECORD>;

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** The records of the folder by file name, in the order of names. Throws with the file's name where one is not a record. */
export function readRecords(folder = FOLDER): Map<string, BenchRecord> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return new Map(names.sort().map((name) => [name, parseRecord(name, readFileSync(`${folder}/${name}`, "utf8"))]));
}

function parseRecord(name: string, content: string): BenchRecord {
  const { success, data, error } = RECORD.safeParse(JSON.parse(content));
  if (success) return data;
  throw new Error(`bench/records/${name} is no record: ${z.prettifyError(error)}`);
}

export type Value = string | number | readonly number[] | Uint8Array | readonly Item[];
/** [group, element, VR, value]. */
export type Element = readonly [group: number, element: number, vr: string, value: Value];
export type Item = readonly Element[];

const LONG = new Set(["OB", "OW", "SQ", "UN", "UT"]);

function isItems(value: Value): value is readonly Item[] {
  return Array.isArray(value) && value.every((item) => Array.isArray(item));
}

function body(vr: string, value: Value, implicit: boolean): Buffer {
  if (isItems(value)) {
    return Buffer.concat(
      value.map((item) => {
        const content = elements(item, implicit);
        const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
        head.writeUInt32LE(content.length, 4);
        return Buffer.concat([head, content]);
      }),
    );
  }
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value === "string")
    return Buffer.from(value.length % 2 === 0 ? value : `${value}${vr === "UI" ? "\0" : " "}`, "latin1");
  const numbers = typeof value === "number" ? [value] : (value as readonly number[]);
  const out = Buffer.alloc(numbers.length * (vr === "US" ? 2 : 4));
  for (const [at, number] of numbers.entries()) {
    if (vr === "US") out.writeUInt16LE(number, at * 2);
    else out.writeUInt32LE(number, at * 4);
  }

  return out;
}

function elements(items: readonly Element[], implicit: boolean): Buffer {
  return Buffer.concat(
    items.map(([group, element, vr, value]) => {
      const content = body(vr, value, implicit);
      const wide = implicit || LONG.has(vr);
      const head = Buffer.alloc(implicit ? 8 : wide ? 12 : 8);
      head.writeUInt16LE(group, 0);
      head.writeUInt16LE(element, 2);
      if (!implicit) head.write(vr, 4, "latin1");
      if (implicit) head.writeUInt32LE(content.length, 4);
      else if (wide) head.writeUInt32LE(content.length, 8);
      else head.writeUInt16LE(content.length, 6);
      return Buffer.concat([head, content]);
    }),
  );
}

export const SYNTAXES = {
  implicit: "1.2.840.10008.1.2",
  explicit: "1.2.840.10008.1.2.1",
  rle: "1.2.840.10008.1.2.5",
  jpeg2000: "1.2.840.10008.1.2.4.90",
} as const;

/**
 * A DICOM file from its elements, explicit or implicit VR little endian; they must be in ascending order. `tail`: an
 * element as it stands in the file, behind the others.
 */
export function dicomBytes(
  items: readonly Element[],
  syntax: keyof typeof SYNTAXES = "explicit",
  tail?: Buffer,
): Buffer {
  const meta = elements([[2, 0x10, "UI", SYNTAXES[syntax]]], false);
  const length = elements([[2, 0, "UL", meta.length]], false);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM"),
    length,
    meta,
    elements(items, syntax === "implicit"),
    tail ?? Buffer.alloc(0),
  ]);
}

/** Encapsulated pixel data: an empty offset table, one fragment, the end. */
export function encapsulated(fragment: Uint8Array): Buffer {
  const even = fragment.length % 2 === 0 ? fragment : Buffer.concat([fragment, Buffer.alloc(1)]);
  const head = Buffer.from("e07f1000 4f420000 ffffffff feff00e0 00000000 feff00e0 00000000".replaceAll(" ", ""), "hex");
  head.writeUInt32LE(even.length, head.length - 4);
  return Buffer.concat([head, even, Buffer.from("feffdde000000000", "hex")]);
}

/** Run lengths of 16-bit pixels: high bytes, then low bytes; runs of 3 and more are packed. */
export function rleBytes(values: readonly number[]): Buffer {
  const pack = (bytes: readonly number[]) => {
    const out: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      let run = 1;
      while (run < 128 && bytes[at + run] === bytes[at]) run++;
      if (run >= 3) out.push(257 - run, bytes[at] ?? 0);
      else out.push(run - 1, ...bytes.slice(at, at + run));
      at += run;
    }
    return Buffer.from(out.length % 2 === 0 ? out : [...out, 128]);
  };
  const planes = [pack(values.map((value) => (value >> 8) & 255)), pack(values.map((value) => value & 255))];
  const head = Buffer.alloc(64);
  head.writeUInt32LE(2, 0);
  head.writeUInt32LE(64, 4);
  head.writeUInt32LE(64 + (planes[0]?.length ?? 0), 8);
  return Buffer.concat([head, ...planes]);
}

export interface ImageSpec {
  readonly series: string;
  readonly instance: string;
  readonly z: number;
  readonly patient?: string;
  readonly rows: number;
  readonly columns: number;
  readonly values: readonly number[];
  readonly extra?: readonly Element[];
}

/** The elements of a CT image, signed 16 bit, intercept -1024. */
export function ctElements(spec: ImageSpec, pixels?: Uint8Array): readonly Element[] {
  const words = Buffer.from(Int16Array.from(spec.values).buffer);
  const all: Element[] = [
    [0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2"],
    [0x0008, 0x0018, "UI", spec.instance],
    [0x0008, 0x0060, "CS", "CT"],
    [0x0010, 0x0020, "LO", spec.patient ?? "anonymous"],
    [0x0020, 0x000e, "UI", spec.series],
    [0x0020, 0x0032, "DS", `-10\\-20\\${spec.z}`],
    [0x0020, 0x0037, "DS", "1\\0\\0\\0\\1\\0"],
    [0x0028, 0x0002, "US", 1],
    [0x0028, 0x0004, "CS", "MONOCHROME2"],
    [0x0028, 0x0010, "US", spec.rows],
    [0x0028, 0x0011, "US", spec.columns],
    [0x0028, 0x0100, "US", 16],
    [0x0028, 0x0101, "US", 16],
    [0x0028, 0x0103, "US", 1],
    [0x0028, 0x1050, "DS", "40"],
    [0x0028, 0x1051, "DS", "400"],
    [0x0028, 0x1052, "DS", "-1024"],
    [0x0028, 0x1053, "DS", "1"],
    [0x7fe0, 0x0010, "OW", pixels ?? words],
  ];
  const replaced = new Map(all.map((element) => [element[0] * 65536 + element[1], element]));
  for (const element of spec.extra ?? []) replaced.set(element[0] * 65536 + element[1], element);
  return [...replaced].sort(([a], [b]) => a - b).map(([, element]) => element);
}

export interface SegSpec {
  readonly series: string;
  readonly rows: number;
  readonly columns: number;
  readonly labels: readonly string[];
  /** Each frame: its segment (from 1), where it lies (by instance, position or both), its pixels 0 or 1 (fractional: 0..255). */
  readonly frames: readonly { segment: number; instance?: string; z?: number; pixels: readonly number[] }[];
  readonly fractional?: boolean;
  readonly orientation?: string;
}

/** The elements of a segmentation object. */
export function segElements(spec: SegSpec): readonly Element[] {
  const values = spec.frames.flatMap(({ pixels }) => pixels);
  const bits = Buffer.alloc(Math.ceil(values.length / 16) * 2);
  values.forEach((bit, at) => {
    bits[at >> 3] = (bits[at >> 3] ?? 0) | (bit << (at & 7));
  });
  return [
    [0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.66.4"],
    [0x0008, 0x0018, "UI", `${spec.series}.9`],
    [0x0008, 0x0060, "CS", "SEG"],
    [0x0008, 0x1115, "SQ", [[[0x0020, 0x000e, "UI", spec.series]]]],
    [0x0020, 0x000e, "UI", `${spec.series}.8`],
    [0x0028, 0x0002, "US", 1],
    [0x0028, 0x0004, "CS", "MONOCHROME2"],
    [0x0028, 0x0008, "IS", String(spec.frames.length)],
    [0x0028, 0x0010, "US", spec.rows],
    [0x0028, 0x0011, "US", spec.columns],
    [0x0028, 0x0100, "US", spec.fractional ? 8 : 1],
    [0x0028, 0x0101, "US", spec.fractional ? 8 : 1],
    [0x0028, 0x0103, "US", 0],
    [0x0062, 0x0001, "CS", spec.fractional ? "FRACTIONAL" : "BINARY"],
    [
      0x0062,
      0x0002,
      "SQ",
      spec.labels.map(
        (label, at): Item => [
          [0x0062, 0x0004, "US", at + 1],
          [0x0062, 0x0005, "LO", label],
        ],
      ),
    ],
    ...(spec.fractional ? [[0x0062, 0x000e, "US", 255] as const] : []),
    [
      0x5200,
      0x9229,
      "SQ",
      [[[0x0020, 0x9116, "SQ", [[[0x0020, 0x0037, "DS", spec.orientation ?? "1\\0\\0\\0\\1\\0"]]]]]],
    ],
    [
      0x5200,
      0x9230,
      "SQ",
      spec.frames.map(
        ({ segment, instance, z }): Item => [
          ...(instance === undefined
            ? []
            : [[0x0008, 0x9124, "SQ", [[[0x0008, 0x2112, "SQ", [[[0x0008, 0x1155, "UI", instance]]]]]]] as const]),
          ...(z === undefined ? [] : [[0x0020, 0x9113, "SQ", [[[0x0020, 0x0032, "DS", `-10\\-20\\${z}`]]]] as const]),
          [0x0062, 0x000a, "SQ", [[[0x0062, 0x000b, "US", segment]]]],
        ],
      ),
    ],
    [0x7fe0, 0x0010, "OB", spec.fractional ? Buffer.from(values.length % 2 ? [...values, 0] : values) : bits],
  ];
}

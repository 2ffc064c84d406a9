import { gzipSync } from "node:zlib";

const CODES = {
  uint8: [2, 8],
  int16: [4, 16],
  int32: [8, 32],
  float32: [16, 32],
  float64: [64, 64],
  int8: [256, 8],
  uint16: [512, 16],
  uint32: [768, 32],
  int64: [1024, 64],
  uint64: [1280, 64],
} as const;

export interface NiftiSpec {
  readonly shape: readonly number[];
  /** Stored value of voxel number `index`, the first axis running fastest. */
  readonly value: (index: number) => number;
  readonly type?: keyof typeof CODES;
  readonly version?: 1 | 2;
  readonly bigEndian?: boolean;
  /** sform, row by row; undefined: sform_code 0. */
  readonly affine?: readonly number[] | undefined;
  /** quatern_b, c, d; qoffset x, y, z; pixdim 0..3. */
  readonly qform?: { quaternion: readonly number[]; offset: readonly number[]; pixdim: readonly number[] };
  readonly slope?: number;
  readonly intercept?: number;
  readonly gzip?: boolean;
}

/** Millimetres as indices: an array that is RAS already. */
export const RAS: readonly number[] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

type Put = (view: DataView, at: number, value: number, little: boolean) => void;

const puts: Record<keyof typeof CODES, Put> = {
  uint8: (view, at, value) => view.setUint8(at, value),
  int8: (view, at, value) => view.setInt8(at, value),
  uint16: (view, at, value, little) => view.setUint16(at, value, little),
  int16: (view, at, value, little) => view.setInt16(at, value, little),
  uint32: (view, at, value, little) => view.setUint32(at, value, little),
  int32: (view, at, value, little) => view.setInt32(at, value, little),
  float32: (view, at, value, little) => view.setFloat32(at, value, little),
  float64: (view, at, value, little) => view.setFloat64(at, value, little),
  int64: (view, at, value, little) => view.setBigInt64(at, BigInt(value), little),
  uint64: (view, at, value, little) => view.setBigUint64(at, BigInt(value), little),
};

function header1(spec: NiftiSpec, little: boolean): Buffer {
  const out = Buffer.alloc(352);
  const view = new DataView(out.buffer, out.byteOffset);
  const [code, bits] = CODES[spec.type ?? "int16"];
  view.setInt32(0, 348, little);
  for (const [at, extent] of [spec.shape.length, ...spec.shape].entries()) view.setInt16(40 + 2 * at, extent, little);
  view.setInt16(70, code, little);
  view.setInt16(72, bits, little);
  for (const [at, size] of (spec.qform?.pixdim ?? [1, 1, 1, 1]).entries()) view.setFloat32(76 + 4 * at, size, little);
  view.setFloat32(108, 352, little);
  view.setFloat32(112, spec.slope ?? 1, little);
  view.setFloat32(116, spec.intercept ?? 0, little);
  view.setInt16(252, spec.qform ? 1 : 0, little);
  view.setInt16(254, spec.affine ? 1 : 0, little);
  for (const [at, x] of [...(spec.qform?.quaternion ?? []), ...(spec.qform?.offset ?? [])].entries())
    view.setFloat32(256 + 4 * at, x, little);
  for (const [at, x] of (spec.affine ?? []).entries()) view.setFloat32(280 + 4 * at, x, little);
  out.write("n+1\0", 344, "latin1");
  return out;
}

function header2(spec: NiftiSpec, little: boolean): Buffer {
  const out = Buffer.alloc(544);
  const view = new DataView(out.buffer, out.byteOffset);
  const [code, bits] = CODES[spec.type ?? "int16"];
  view.setInt32(0, 540, little);
  out.write("n+2\0\r\n\x1a\n", 4, "latin1");
  view.setInt16(12, code, little);
  view.setInt16(14, bits, little);
  for (const [at, extent] of [spec.shape.length, ...spec.shape].entries())
    view.setBigInt64(16 + 8 * at, BigInt(extent), little);
  for (const [at, size] of (spec.qform?.pixdim ?? [1, 1, 1, 1]).entries()) view.setFloat64(104 + 8 * at, size, little);
  view.setBigInt64(168, 544n, little);
  view.setFloat64(176, spec.slope ?? 1, little);
  view.setFloat64(184, spec.intercept ?? 0, little);
  view.setInt32(344, spec.qform ? 1 : 0, little);
  view.setInt32(348, spec.affine ? 1 : 0, little);
  for (const [at, x] of [...(spec.qform?.quaternion ?? []), ...(spec.qform?.offset ?? [])].entries())
    view.setFloat64(352 + 8 * at, x, little);
  for (const [at, x] of (spec.affine ?? []).entries()) view.setFloat64(400 + 8 * at, x, little);
  return out;
}

/** A NIfTI file's bytes, written independently of the reader: field by field as the standard lists them. */
export function niftiBytes(spec: NiftiSpec): Buffer {
  const little = spec.bigEndian !== true;
  const type = spec.type ?? "int16";
  const head = spec.version === 2 ? header2(spec, little) : header1(spec, little);
  const count = spec.shape.reduce((product, extent) => product * extent, 1);
  const size = CODES[type][1] / 8;
  const data = Buffer.alloc(count * size);
  const view = new DataView(data.buffer, data.byteOffset);
  for (let index = 0; index < count; index++) puts[type](view, index * size, spec.value(index), little);
  const file = Buffer.concat([head, data]);
  return spec.gzip ? gzipSync(file) : file;
}

/** Where free texts stand in a header: [byte, length] of descrip, aux_file, intent_name and, of NIfTI-1, data_type, db_name. */
const TEXTS = {
  1: {
    fields: [
      [148, 80],
      [228, 24],
      [328, 16],
      [4, 10],
      [14, 18],
    ],
    offsetAt: 108,
    header: 348,
  },
  2: {
    fields: [
      [240, 80],
      [320, 24],
      [508, 16],
    ],
    offsetAt: 168,
    header: 540,
  },
} as const;

/**
 * A little endian NIfTI file's bytes with `text` in every field for text, and in an extension behind the header (a comment,
 * ecode 6).
 */
export function plantTexts(bytes: Buffer, version: 1 | 2 = 1, text = "DOE^JANE"): Buffer {
  const { fields, offsetAt, header } = TEXTS[version];
  const head = Buffer.from(bytes.subarray(0, header + 4));
  for (const [at, length] of fields) head.write(text.slice(0, length), at, "latin1");
  head[header] = 1;
  const extension = Buffer.alloc(64);
  extension.writeInt32LE(64, 0);
  extension.writeInt32LE(6, 4);
  extension.write(text, 8, "latin1");
  const offset = head.length + extension.length;
  if (version === 1) head.writeFloatLE(offset, offsetAt);
  else head.writeBigInt64LE(BigInt(offset), offsetAt);
  return Buffer.concat([head, extension, bytes.subarray(header + 4)]);
}

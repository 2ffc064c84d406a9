import { DataError } from "../../errors.ts";
import { type Affine, determinant } from "./orientation.ts";
import { elementCount, latin1, VALUE_TYPES, type ValueType } from "./values.ts";

export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  /** Extents of the array: x, y, z and volumes (1 for a 3-D file), the first index running fastest. */
  readonly shape: readonly [number, number, number, number];
  readonly type: ValueType;
  /** Byte of the first voxel. */
  readonly dataOffset: number;
  /** Bytes of all voxels. */
  readonly dataBytes: number;
  /** value = stored * slope + intercept; 1 and 0 where the file asks for no scaling (scl_slope 0). */
  readonly slope: number;
  readonly intercept: number;
  readonly affine: Affine;
  /** Where the orientation comes from; "none": the file says nothing, the array is taken as RAS. */
  readonly orientationFrom: "sform" | "qform" | "none";
}

/** Bytes that hold any header. */
export const LONGEST_HEADER = 544;

const TYPES: Readonly<Record<number, ValueType>> = {
  2: "uint8",
  4: "int16",
  8: "int32",
  16: "float32",
  64: "float64",
  256: "int8",
  512: "uint16",
  768: "uint32",
  1024: "int64",
  1280: "uint64",
};

const UNSUPPORTED: Readonly<Record<number, string>> = {
  1: "1-bit voxels",
  32: "complex numbers",
  128: "RGB colours",
  1536: "128-bit floating point",
  1792: "complex numbers",
  2048: "complex numbers",
  2304: "RGBA colours",
};

/** Where the fields of each version lie. */
const LAYOUTS = {
  1: {
    bytes: 348,
    magicAt: 344,
    magic: "n+1\0",
    pair: "ni1\0",
    type: 70,
    bits: 72,
    dim: 40,
    pixdim: 76,
    dataOffset: 108,
    slope: 112,
    intercept: 116,
    units: 123,
    unitsBytes: 1,
    qform: 252,
    sform: 254,
    quaternion: 256,
    offset: 268,
    rows: 280,
  },
  2: {
    bytes: 540,
    magicAt: 4,
    magic: "n+2\0\r\n\x1a\n",
    pair: "ni2\0\r\n\x1a\n",
    type: 12,
    bits: 14,
    dim: 16,
    pixdim: 104,
    dataOffset: 168,
    slope: 176,
    intercept: 184,
    units: 500,
    unitsBytes: 4,
    qform: 344,
    sform: 348,
    quaternion: 352,
    offset: 376,
    rows: 400,
  },
} as const;

/** Reads fields of one header; NIfTI-2 widens 16 bits to 32 or 64 and float32 to float64. */
class HeaderFields {
  readonly layout: (typeof LAYOUTS)[1 | 2];
  readonly littleEndian: boolean;
  readonly version: 1 | 2;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, version: 1 | 2, littleEndian: boolean) {
    this.layout = LAYOUTS[version];
    this.littleEndian = littleEndian;
    this.version = version;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  short(at: number): number {
    return this.#view.getInt16(at, this.littleEndian);
  }

  extent(index: number): number {
    const { dim } = this.layout;
    if (this.version === 1) return this.#view.getInt16(dim + 2 * index, this.littleEndian);
    return Number(this.#view.getBigInt64(dim + 8 * index, this.littleEndian));
  }

  code(at: number): number {
    return this.version === 1 ? this.short(at) : this.#view.getInt32(at, this.littleEndian);
  }

  /** Number `index` of the reals that start at `at`. */
  real(at: number, index = 0): number {
    if (this.version === 1) return this.#view.getFloat32(at + 4 * index, this.littleEndian);
    return this.#view.getFloat64(at + 8 * index, this.littleEndian);
  }

  dataOffset(): number {
    const { dataOffset } = this.layout;
    return this.version === 1 ? this.real(dataOffset) : Number(this.#view.getBigInt64(dataOffset, this.littleEndian));
  }
}

/** The error of every damaged or foreign NIfTI file. */
export function niftiError(file: string, what: string): DataError {
  return new DataError(`${file}: the NIfTI file is damaged or of a kind that is not read (${what})`);
}

/** Recognises version and byte order by the header's own length and its magic word. */
export function headerFields(bytes: Uint8Array, file: string): HeaderFields {
  if (bytes.length < LAYOUTS[1].bytes) {
    throw niftiError(
      file,
      `${bytes.length} bytes, the header alone has ${LAYOUTS[1].bytes}; restore it from its source`,
    );
  }
  const first = new DataView(bytes.buffer, bytes.byteOffset, 4);
  for (const version of [1, 2] as const) {
    const { bytes: length, magicAt, magic, pair } = LAYOUTS[version];
    for (const littleEndian of [true, false]) {
      if (first.getInt32(0, littleEndian) !== length || bytes.length < length) continue;
      const found = latin1(bytes.subarray(magicAt, magicAt + magic.length));
      if (found === magic) return new HeaderFields(bytes, version, littleEndian);
      if (found === pair) {
        throw niftiError(
          file,
          "header and voxels are two files, .hdr and .img; convert the pair to one .nii or .nii.gz",
        );
      }
      throw niftiError(file, `wrong magic ${JSON.stringify(found)}; Analyze 7.5 files must be converted to .nii`);
    }
  }
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
  throw niftiError(
    file,
    `it starts with ${start}, not with a header's length (348 or 540); is it a NIfTI file at all?`,
  );
}

function shapeOf(fields: HeaderFields, file: string): NiftiHeader["shape"] {
  const dimensions = fields.extent(0);
  if (!(dimensions >= 2 && dimensions <= 7)) throw niftiError(file, `${dimensions} dimensions, known are 2 to 7`);
  const extents = Array.from({ length: dimensions }, (_, index) => fields.extent(index + 1));
  if (extents.some((extent) => !(extent >= 1))) throw niftiError(file, `extents ${extents.join("x")}`);
  if (extents.slice(4).some((extent) => extent > 1)) {
    throw niftiError(file, `extents ${extents.join("x")}: more than four dimensions; split the file first`);
  }
  const [x = 1, y = 1, z = 1, volumes = 1] = extents;
  return [x, y, z, volumes];
}

function typeOf(fields: HeaderFields, file: string): ValueType {
  const code = fields.short(fields.layout.type);
  const type = TYPES[code];
  if (type === undefined) {
    throw niftiError(file, `voxels of type ${code}${UNSUPPORTED[code] === undefined ? "" : ` (${UNSUPPORTED[code]})`}`);
  }
  const bits = fields.short(fields.layout.bits);
  if (bits !== 0 && bits !== VALUE_TYPES[type] * 8) throw niftiError(file, `type ${type} with ${bits} bits a voxel`);
  return type;
}

/** Rotation of a unit quaternion times voxel sizes; the third axis may be mirrored (pixdim[0] < 0). */
function quaternionAffine(fields: HeaderFields): Affine {
  const { quaternion, pixdim, offset } = fields.layout;
  let [b, c, d] = [fields.real(quaternion, 0), fields.real(quaternion, 1), fields.real(quaternion, 2)];
  const rest = 1 - (b * b + c * c + d * d);
  let a = Math.sqrt(Math.max(0, rest));
  if (rest < 1e-7) {
    const length = Math.hypot(b, c, d);
    [a, b, c, d] = [0, b / length, c / length, d / length];
  }
  const [dx, dy, dz] = [fields.real(pixdim, 1), fields.real(pixdim, 2), fields.real(pixdim, 3)];
  const kz = fields.real(pixdim, 0) < 0 ? -dz : dz;
  const [x, y, z] = [fields.real(offset, 0), fields.real(offset, 1), fields.real(offset, 2)];
  return [
    ...[(a * a + b * b - c * c - d * d) * dx, 2 * (b * c - a * d) * dy, 2 * (b * d + a * c) * kz, x],
    ...[2 * (b * c + a * d) * dx, (a * a + c * c - b * b - d * d) * dy, 2 * (c * d - a * b) * kz, y],
    ...[2 * (b * d - a * c) * dx, 2 * (c * d + a * b) * dy, (a * a + d * d - b * b - c * c) * kz, z],
  ];
}

const usable = (affine: Affine) => affine.every(Number.isFinite) && Math.abs(determinant(affine)) > 0;

function affineOf(fields: HeaderFields, file: string): Pick<NiftiHeader, "affine" | "orientationFrom"> {
  const { sform, qform, rows, pixdim } = fields.layout;
  if (fields.code(sform) > 0) {
    const affine = Array.from({ length: 12 }, (_, index) => fields.real(rows, index));
    if (usable(affine)) return { affine, orientationFrom: "sform" };
  }
  if (fields.code(qform) > 0) {
    const affine = quaternionAffine(fields);
    if (usable(affine)) return { affine, orientationFrom: "qform" };
  }
  if (fields.code(sform) > 0 || fields.code(qform) > 0) {
    throw niftiError(file, "its orientation (sform, qform) does not span space; correct the header");
  }
  const size = (index: number) => Math.abs(fields.real(pixdim, index)) || 1;
  return { affine: [size(1), 0, 0, 0, 0, size(2), 0, 0, 0, 0, size(3), 0], orientationFrom: "none" };
}

function scalingOf(fields: HeaderFields, file: string): Pick<NiftiHeader, "slope" | "intercept"> {
  const slope = fields.real(fields.layout.slope);
  const intercept = fields.real(fields.layout.intercept);
  if (slope === 0 || !Number.isFinite(slope)) return { slope: 1, intercept: 0 };
  if (!Number.isFinite(intercept)) throw niftiError(file, `scl_slope ${slope} with scl_inter ${intercept}`);
  return { slope, intercept };
}

/**
 * Reads a NIfTI-1 (348 bytes) or NIfTI-2 (540 bytes) header in either byte order from the first bytes of a file
 * (decompressed), strictly: every figure that decides how much memory is taken or where a voxel lies is checked before
 * it is used. Throws DataError naming `file` and the field.
 */
export function readNiftiHeader(bytes: Uint8Array, file: string): NiftiHeader {
  const fields = headerFields(bytes, file);
  const shape = shapeOf(fields, file);
  const type = typeOf(fields, file);
  const dataOffset = fields.dataOffset();
  if (!Number.isSafeInteger(dataOffset) || dataOffset < fields.layout.bytes || dataOffset > 2 ** 30) {
    throw niftiError(file, `its voxels are said to start at byte ${dataOffset}`);
  }
  const dataBytes = (elementCount(shape) ?? Number.POSITIVE_INFINITY) * VALUE_TYPES[type];
  const { version, littleEndian } = fields;
  return {
    ...{ version, littleEndian, shape, type, dataOffset, dataBytes },
    ...scalingOf(fields, file),
    ...affineOf(fields, file),
  };
}

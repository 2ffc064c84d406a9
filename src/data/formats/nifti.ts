import { DataError } from "../../errors.ts";
import { DEFLATE_RATIO } from "../deflate.ts";
import { LONGEST_HEADER, type NiftiHeader, niftiError, readNiftiHeader } from "./nifti-header.ts";
import { type PatientAxis, patientAxes } from "./orientation.ts";
import { LARGEST_ARRAY, type ValueSlice, valueReader } from "./values.ts";

/** Bytes after the last voxel that are tolerated. */
export const NIFTI_SLACK = 2 ** 20;

/** Whether a file is compressed (.nii.gz): told by content, not name. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function tooLarge(file: string, header: NiftiHeader, stored: number): DataError {
  const { shape, type, dataBytes } = header;
  return niftiError(file, `${shape.join("x")} voxels of ${type} need ${dataBytes} bytes, the file can hold ${stored}`);
}

/**
 * The bytes that a compressed file unpacks to at most: its header, from the first unpacked bytes, decides. Throws DataError
 * where so few compressed bytes cannot hold so many voxels, or no reader can.
 */
export function unpackedLength(start: Uint8Array, compressed: number, file: string): number {
  const header = readNiftiHeader(start.subarray(0, LONGEST_HEADER), file);
  const total = header.dataOffset + header.dataBytes;
  const possible = compressed * DEFLATE_RATIO;
  if (!(total <= possible && total <= LARGEST_ARRAY)) throw tooLarge(file, header, Math.min(possible, LARGEST_ARRAY));
  return total;
}

/** The error of a compressed file whose packing is damaged. */
export function packingError(file: string, why: string): DataError {
  return niftiError(file, `gzip: ${why}; restore it from its source`);
}

/** A NIfTI volume: voxels by axial slices, oriented as a reader of scans expects them whatever the file's own order. */
export class NiftiVolume {
  readonly file: string;
  readonly header: NiftiHeader;
  /** Voxels to the patient's left-right, back-front and foot-head. */
  readonly size: readonly [x: number, y: number, z: number];
  /** 1 for a 3-D file. */
  readonly volumes: number;
  /** The file's header as stored (decompressed), up to the voxels. */
  readonly headerBytes: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #read: (index: number) => number;
  readonly #axes: readonly [PatientAxis, PatientAxis, PatientAxis];

  private constructor(file: string, header: NiftiHeader, bytes: Uint8Array) {
    this.file = file;
    this.header = header;
    this.headerBytes = bytes.subarray(0, header.dataOffset);
    this.#bytes = bytes;
    const voxels = bytes.subarray(header.dataOffset, header.dataOffset + header.dataBytes);
    this.#read = valueReader(voxels, header.type, header.littleEndian);
    this.#axes = patientAxes(header.affine);
    const extent = ({ axis }: PatientAxis) => header.shape[axis];
    this.size = [extent(this.#axes[0]), extent(this.#axes[1]), extent(this.#axes[2])];
    this.volumes = header.shape[3];
  }

  /**
   * A volume from the unpacked bytes of a file. Throws DataError naming `file`. Memory: the voxels as stored, which stay in
   * `bytes`.
   */
  static of(bytes: Uint8Array, file: string): NiftiVolume {
    if (bytes.length === 0) throw new DataError(`${file}: the file is empty; restore it from its source`);
    const header = readNiftiHeader(bytes.subarray(0, LONGEST_HEADER), file);
    const stored = bytes.length - header.dataOffset;
    if (!(header.dataBytes <= stored)) throw tooLarge(file, header, Math.max(0, stored));
    return new NiftiVolume(file, header, bytes);
  }

  /** The same voxels, their places taken from the header of `other`, an array of the same extents. */
  placedAs({ header: { affine, orientationFrom } }: NiftiVolume): NiftiVolume {
    return new NiftiVolume(this.file, { ...this.header, affine, orientationFrom }, this.#bytes);
  }

  /**
   * Axial slice `z` (0 = nearest to the feet) of volume `volume`, scaled values, as radiologists look at it: rows from
   * front to back, columns from the patient's right to left. Infinite values become NaN, and both are counted.
   */
  slice(z: number, volume = 0): ValueSlice {
    const [width, height] = this.size;
    const values = new Float64Array(width * height);
    const { slope, intercept } = this.header;
    let nonFinite = 0;
    this.eachVoxel(z, volume, (pixel, index) => {
      const value = this.#read(index) * slope + intercept;
      values[pixel] = Number.isFinite(value) ? value : Number.NaN;
      if (!Number.isFinite(value)) nonFinite++;
    });
    return { width, height, values, nonFinite };
  }

  /** Calls `visit` with every pixel of a slice and the place of its voxel in the stored array. */
  eachVoxel(z: number, volume: number, visit: (pixel: number, index: number) => void): void {
    const [width, height, depth] = this.size;
    if (!(z >= 0 && z < depth && volume >= 0 && volume < this.volumes)) {
      throw new RangeError(`slice ${z} of volume ${volume} lies outside ${this.size.join("x")}x${this.volumes}`);
    }
    const { shape } = this.header;
    const strides = [1, shape[0], shape[0] * shape[1]];
    const step = ({ axis, flipped }: PatientAxis) => (flipped ? -1 : 1) * (strides[axis] ?? 0);
    const start = ({ axis, flipped }: PatientAxis) => (flipped ? (shape[axis] - 1) * (strides[axis] ?? 0) : 0);
    const [ax, ay, az] = this.#axes;
    const base = start(ax) + start(ay) + start(az) + z * step(az) + volume * shape[0] * shape[1] * shape[2];
    let pixel = 0;
    for (let row = 0; row < height; row++) {
      const line = base + (height - 1 - row) * step(ay);
      for (let column = 0; column < width; column++) visit(pixel++, line + (width - 1 - column) * step(ax));
    }
  }
}

import { gzipSync } from "node:zlib";
import type { NiftiVolume } from "./nifti.ts";
import { headerFields } from "./nifti-header.ts";

/**
 * A label map in the geometry of the scan it belongs to: the same header, orientation and array order, 8-bit labels.
 */
export class NiftiLabelMap {
  readonly #volume: NiftiVolume;
  readonly #labels: Uint8Array;

  /** An empty (all background) label map for `volume`; of a 4-D file it is one 3-D map. */
  constructor(volume: NiftiVolume) {
    this.#volume = volume;
    this.#labels = new Uint8Array(volume.size[0] * volume.size[1] * volume.size[2]);
  }

  /** Sets axial slice `z` from labels in the orientation of `NiftiVolume.slice`, row by row. */
  setSlice(z: number, labels: Uint8Array): void {
    const [width, height] = this.#volume.size;
    if (labels.length !== width * height) {
      throw new RangeError(`slice ${z} has ${labels.length} labels, the volume's slices have ${width}x${height}`);
    }
    this.#volume.eachVoxel(z, 0, (pixel, index) => {
      this.#labels[index] = labels[pixel] ?? 0;
    });
  }

  /** The file: the scan's own header with type uint8 and no scaling; compressed unless `gzip` is false. */
  encode(gzip = true): Buffer {
    const { header, headerBytes } = this.#volume;
    const head = Buffer.from(headerBytes);
    const { layout, version, littleEndian } = headerFields(head, this.#volume.file);
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    const real = (at: number, value: number) =>
      version === 1 ? view.setFloat32(at, value, littleEndian) : view.setFloat64(at, value, littleEndian);
    const [x, y, z] = header.shape;
    const extents = [3, x, y, z, 1, 1, 1, 1];
    extents.forEach((extent, index) => {
      if (version === 1) view.setInt16(layout.dim + 2 * index, extent, littleEndian);
      else view.setBigInt64(layout.dim + 8 * index, BigInt(extent), littleEndian);
    });
    view.setInt16(layout.type, 2, littleEndian);
    view.setInt16(layout.bits, 8, littleEndian);
    real(layout.slope, 1);
    real(layout.intercept, 0);
    // The scan's display range (cal_max, cal_min) would show labels as black.
    real(layout.calibration, 0);
    real(layout.calibration + (version === 1 ? 4 : 8), 0);
    const file = Buffer.concat([head, this.#labels]);
    return gzip ? gzipSync(file) : file;
  }
}

import { gzipSync } from "node:zlib";
import type { NiftiVolume } from "./nifti.ts";
import { headerFields } from "./nifti-header.ts";

/**
 * A label map in the geometry of the scan it belongs to: the same orientation and array order, 8-bit labels.
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

  /**
   * The file: a header of the scan's version and byte order with its geometry, type uint8 and no scaling; compressed unless
   * `gzip` is false. Nothing else of the scan's header comes along: its free texts and extensions may name a patient.
   */
  encode(gzip = true): Buffer {
    const file = Buffer.concat([this.#header(), this.#labels]);
    return gzip ? gzipSync(file) : file;
  }

  #header(): Buffer {
    const { header, headerBytes, file } = this.#volume;
    const { layout, version, littleEndian } = headerFields(headerBytes, file);
    const head = Buffer.alloc(layout.bytes + 4); // four zeros: no extensions follow
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    const real = (at: number, value: number) =>
      version === 1 ? view.setFloat32(at, value, littleEndian) : view.setFloat64(at, value, littleEndian);
    const copy = (from: number, to: number) => head.set(headerBytes.subarray(from, to), from);
    view.setInt32(0, layout.bytes, littleEndian);
    head.write(layout.magic, layout.magicAt, "latin1");
    const [x, y, z] = header.shape;
    const extents = [3, x, y, z, 1, 1, 1, 1];
    extents.forEach((extent, index) => {
      if (version === 1) view.setInt16(layout.dim + 2 * index, extent, littleEndian);
      else view.setBigInt64(layout.dim + 8 * index, BigInt(extent), littleEndian);
    });
    view.setInt16(layout.type, 2, littleEndian);
    view.setInt16(layout.bits, 8, littleEndian);
    if (version === 1) real(layout.dataOffset, head.length);
    else view.setBigInt64(layout.dataOffset, BigInt(head.length), littleEndian);
    real(layout.slope, 1);
    const realBytes = version === 1 ? 4 : 8;
    copy(layout.pixdim, layout.pixdim + 4 * realBytes); // handedness and voxel sizes
    copy(layout.units, layout.units + layout.unitsBytes);
    copy(layout.qform, layout.rows + 12 * realBytes); // both orientations
    return head;
  }
}

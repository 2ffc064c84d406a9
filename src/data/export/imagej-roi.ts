import { DataError } from "../../errors.ts";
import { boxOf, type FoundObject, type ShownClass } from "./found-object.ts";
import { outlinesOf, type Ring } from "./outlines.ts";

const VERSION = 228;
const HEADER = 64;
const TRACED = 8;
const RECTANGLE = 1;
/** Parts of a composite's path. */
const [MOVE, LINE, CLOSE] = [0, 1, 4];
/** ImageJ reads larger 16-bit numbers as negative ones. */
const MOST_ROI_SIDE = 60_000;
const MOST_TRACED_CORNERS = 65_535;
const MOST_GROUP = 255;

/** Throws DataError where an image's sides are beyond what the format's 16-bit numbers hold. */
export function requireRoiSize(file: string, { width, height }: { width: number; height: number }): void {
  if (Math.max(width, height) <= MOST_ROI_SIDE) return;
  throw new DataError(
    `${file}: ${width}x${height} pixels; ImageJ's ROIs end at ${MOST_ROI_SIDE} pixels a side: use --format geojson`,
  );
}

/**
 * The bytes of one object's .roi file in a mask of `width` columns, as ImageJ's RoiDecoder (1.52t and later) documents them:
 * big-endian, a header of 64 bytes, the outline, a second header of 64 bytes with group and name, the name. An outline of one
 * line is a traced ROI of 16-bit corners, one with holes or of several pieces a composite of float corners, filled by the
 * even-odd rule. The group is the class's index (none above 255), the position in a stack `slice` + 1.
 */
export function roiBytes(
  object: FoundObject,
  width: number,
  { name, colour }: ShownClass,
  slice?: number,
): Uint8Array<ArrayBuffer> {
  const box = boxOf(object, width);
  const outlines = outlinesOf(object, width);
  const rings = outlines.flatMap(({ shell, holes }) => [shell, ...holes]);
  const [first = []] = rings;
  const traced = rings.length === 1 && first.length <= MOST_TRACED_CORNERS;
  const path = traced ? tracedCorners(first, box.left, box.top) : compositePath(rings);
  const bytes = new Uint8Array(HEADER + path.byteLength + HEADER + 2 * name.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x49, 0x6f, 0x75, 0x74]); // "Iout"
  view.setUint16(4, VERSION);
  bytes[6] = traced ? TRACED : RECTANGLE;
  [box.top, box.left, box.bottom, box.right].forEach((side, index) => {
    view.setUint16(8 + 2 * index, side);
  });
  if (traced) view.setUint16(16, first.length);
  else view.setUint32(36, path.byteLength / 4);
  bytes.set([0xff, ...colour], 40); // stroke: opaque
  const second = HEADER + path.byteLength;
  view.setUint32(60, second);
  bytes.set(path, HEADER);
  if (slice !== undefined) view.setUint32(56, slice + 1);
  view.setUint32(second + 16, second + HEADER);
  view.setUint32(second + 20, name.length);
  if (object.class <= MOST_GROUP) bytes[second + 30] = object.class;
  for (let i = 0; i < name.length; i++) view.setUint16(second + HEADER + 2 * i, name.charCodeAt(i));
  return bytes;
}

/** Columns of all corners, then rows, from the box's upper left corner. */
function tracedCorners(ring: Ring, left: number, top: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * ring.length));
  ring.forEach(([x, y], index) => {
    view.setUint16(2 * index, x - left);
    view.setUint16(2 * (ring.length + index), y - top);
  });
  return new Uint8Array(view.buffer);
}

/** Move, lines and close of each ring, in the picture's coordinates. */
function compositePath(rings: readonly Ring[]): Uint8Array {
  const values = rings.flatMap((ring) => [
    ...ring.flatMap(([x, y], index) => [index === 0 ? MOVE : LINE, x, y]),
    CLOSE,
  ]);
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, index) => {
    view.setFloat32(4 * index, value);
  });
  return new Uint8Array(view.buffer);
}

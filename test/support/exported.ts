/** Readers of what `predict` writes for other programs, from the formats' published rules and nothing of src. */

type Corner = readonly [number, number];

/** A mask of 0 and 1, `[height, width]`, of closed lines filled by the even-odd rule: a pixel is inside where its centre is. */
export function evenOdd(rings: readonly (readonly Corner[])[], width: number, height: number): number[] {
  const mask = new Array<number>(width * height).fill(0);
  for (const ring of rings) {
    ring.forEach(([x, y], index) => {
      const [nextX, nextY] = ring[(index + 1) % ring.length] ?? [x, y];
      if (y === nextY) return;
      // An upright edge turns all pixels to its right.
      if (x !== nextX) throw new Error(`an edge from ${x}, ${y} to ${nextX}, ${nextY} follows no pixels`);
      for (let row = Math.min(y, nextY); row < Math.max(y, nextY); row++) {
        for (let column = x; column < width; column++)
          mask[row * width + column] = 1 - (mask[row * width + column] ?? 0);
      }
    });
  }
  return mask;
}

/** Run lengths of COCO's packed text (`rleFrString` of maskApi.c). */
export function cocoRuns(text: string): number[] {
  const runs: number[] = [];
  for (let at = 0; at < text.length; ) {
    let [value, shift, group] = [0, 0, 0x20];
    while ((group & 0x20) !== 0) {
      group = text.charCodeAt(at++) - 48;
      value |= (group & 0x1f) << shift;
      shift += 5;
    }
    if ((group & 0x10) !== 0) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + (runs[runs.length - 2] ?? 0) : value);
  }
  return runs;
}

/** The mask of COCO's run lengths, which go down the columns, outside first; as rows. */
export function cocoMask(runs: readonly number[], width: number, height: number): number[] {
  const down = runs.flatMap((run, index) => new Array<number>(run).fill(index % 2));
  if (down.length !== width * height) throw new Error(`${down.length} pixels of ${width * height}`);
  return Array.from({ length: down.length }, (_, at) => down[(at % width) * height + Math.floor(at / width)] ?? 0);
}

/** What ImageJ's RoiDecoder takes from the bytes of a .roi file with a traced or a composite outline. */
export function readRoi(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  const [top, left, bottom, right] = [8, 10, 12, 14].map((at) => view.getUint16(at));
  const second = view.getUint32(60);
  const nameAt = view.getUint32(second + 16);
  const name = Array.from({ length: view.getUint32(second + 20) }, (_, i) => view.getUint16(nameAt + 2 * i));
  const composite = view.getUint32(36);
  const type = bytes[6];
  const rings: Corner[][] = [];
  if (composite === 0) {
    const count = view.getUint16(16);
    const at = (index: number) => view.getUint16(64 + 2 * index);
    rings.push(Array.from({ length: count }, (_, i): Corner => [at(i) + (left ?? 0), at(count + i) + (top ?? 0)]));
  }
  for (let next = 0; next < composite; ) {
    const value = () => view.getFloat32(64 + 4 * next++);
    const part = value();
    if (part === 0) rings.push([]);
    if (part === 0 || part === 1) rings.at(-1)?.push([value(), value()]);
    else if (part !== 4) throw new Error(`a path's part ${part}`);
  }
  return {
    ...{ magic, version: view.getUint16(4), type, box: [left, top, right, bottom], rings },
    ...{ stroke: [...bytes.subarray(40, 44)], position: view.getUint32(56), group: bytes[second + 30] },
    name: String.fromCharCode(...name),
  };
}

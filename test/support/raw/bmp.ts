/** A BMP without compression, bottom row first. */
export function bmpBytes(
  { width, height }: { readonly width: number; readonly height: number },
  bits: 1 | 4 | 8 | 24,
  values: readonly number[],
): Buffer {
  const stride = Math.ceil((width * bits) / 32) * 4;
  const palette = bits === 24 ? Buffer.alloc(0) : Buffer.alloc(4 * 2 ** bits, 77);
  const head = Buffer.alloc(54);
  head.write("BM", 0, "latin1");
  for (const [at, value] of [
    [10, 54 + palette.length],
    [14, 40],
    [18, width],
    [22, height],
  ] as const) {
    head.writeUInt32LE(value, at);
  }
  head.writeUInt16LE(bits, 28);
  const rows = Buffer.alloc(stride * height);
  values.forEach((value, at) => {
    const [line, column] = [(height - 1 - Math.floor(at / width)) * stride, at % width];
    if (bits === 24) rows.writeUIntLE(value, line + 3 * column, 3);
    else {
      const bit = column * bits;
      const byte = line + (bit >> 3);
      rows[byte] = (rows[byte] ?? 0) | (value << (8 - bits - (bit & 7)));
    }
  });
  return Buffer.concat([head, palette, rows]);
}

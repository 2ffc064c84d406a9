/** What a test asks of a TIFF of one sample a pixel, uncompressed, in one strip. */
export interface TiffSpec {
  readonly width: number;
  readonly height: number;
  readonly bits: 1 | 2 | 4 | 8 | 16 | 32 | 64;
  readonly format?: "unsigned" | "signed" | "float";
  /** 0 white is zero, 1 black is zero (default), 3 palette. */
  readonly photometric?: number;
  readonly values: readonly number[];
  /** Pages after the first, equal to it, with their NewSubfileType. */
  readonly more?: readonly number[];
  readonly bigEndian?: boolean;
}

function pixelsOf({ width, height, bits, format = "unsigned", values, bigEndian = false }: TiffSpec): Buffer {
  const rowBytes = Math.ceil((width * bits) / 8);
  const out = Buffer.alloc(rowBytes * height);
  const view = new DataView(out.buffer, out.byteOffset);
  values.forEach((value, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    const place = row * rowBytes + (column * bits) / 8;
    if (bits < 8)
      out[Math.floor(place)] = (out[Math.floor(place)] ?? 0) | (value << (8 - bits - ((column * bits) & 7)));
    else if (bits === 8) view.setUint8(place, value);
    else if (bits === 16) view.setUint16(place, value, !bigEndian);
    else if (bits === 64) view.setFloat64(place, value, !bigEndian);
    else if (format === "float") view.setFloat32(place, value, !bigEndian);
    else view.setInt32(place, value, !bigEndian);
  });
  return out;
}

/** A TIFF file of labels, byte by byte. A palette is of saturated colours, index 1 red. */
export function tiffBytes(spec: TiffSpec): Buffer {
  const { width, height, bits, format = "unsigned", photometric = 1, more = [], bigEndian = false } = spec;
  const pixels = pixelsOf(spec);
  const parts: Buffer[] = [Buffer.alloc(8), pixels];
  const number = (value: number, bytes: 2 | 4) => {
    const out = Buffer.alloc(bytes);
    if (bigEndian) out.writeUIntBE(value, 0, bytes);
    else out.writeUIntLE(value, 0, bytes);
    return out;
  };
  const length = () => parts.reduce((sum, part) => sum + part.length, 0);
  let colours = 0;
  if (photometric === 3) {
    colours = length();
    const channels = [
      [0, 65535, 0, 0],
      [0, 0, 65535, 0],
      [0, 0, 0, 65535],
    ];
    for (const channel of channels) for (let at = 0; at < 2 ** bits; at++) parts.push(number(channel[at] ?? 0, 2));
  }
  let pointer = 4;
  [0, ...more].forEach((subfile) => {
    const entries: (readonly [tag: number, type: 3 | 4, count: number, value: number])[] = [
      [254, 4, 1, subfile],
      [256, 4, 1, width],
      [257, 4, 1, height],
      [258, 3, 1, bits],
      [259, 3, 1, 1],
      [262, 3, 1, photometric],
      [273, 4, 1, 8],
      [277, 3, 1, 1],
      [278, 4, 1, height],
      [279, 4, 1, pixels.length],
      ...(photometric === 3 ? ([[320, 3, 3 * 2 ** bits, colours]] as const) : []),
      [339, 3, 1, { unsigned: 1, signed: 2, float: 3 }[format]],
    ];
    const start = length();
    const place = number(start, 4);
    if (pointer === 4) parts[0] = Buffer.concat([Buffer.from(bigEndian ? "MM\0*" : "II*\0", "latin1"), place]);
    else parts[parts.length - 1] = place;
    parts.push(number(entries.length, 2));
    for (const [tag, type, count, value] of entries) {
      const short = type === 3 && count === 1;
      parts.push(number(tag, 2), number(type, 2), number(count, 4));
      parts.push(short ? Buffer.concat([number(value, 2), Buffer.alloc(2)]) : number(value, 4));
    }
    parts.push(Buffer.alloc(4));
    pointer = length() - 4;
  });
  return Buffer.concat(parts);
}

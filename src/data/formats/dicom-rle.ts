/** A run: `length` bytes that follow as they are (`literal`), or one byte `length` times. */
function runOf(control: number): { literal: boolean; length: number } {
  return control < 128 ? { literal: true, length: control + 1 } : { literal: false, length: 257 - control };
}

function unpack(packed: Uint8Array, out: Uint8Array, fail: (what: string) => Error): void {
  let [from, to] = [0, 0];
  while (to < out.length) {
    const control = packed[from++];
    if (control === undefined) throw fail(`run lengths end after ${to} of ${out.length} bytes`);
    if (control === 128) continue;
    const { literal, length } = runOf(control);
    const taken = literal ? length : 1;
    if (to + length > out.length || from + taken > packed.length) throw fail("run lengths leave their segment");
    if (literal) out.set(packed.subarray(from, from + length), to);
    else out.fill(packed[from] ?? 0, to, to + length);
    from += taken;
    to += length;
  }
}

/**
 * One frame's pixels, little endian, from the bytes of DICOM's run-length encoding (PS3.5 annex G): PackBits, one
 * segment for each byte of a pixel, high bytes first. `fail` makes the error for damaged data.
 */
export function decodeRle(
  packed: Uint8Array,
  pixels: number,
  bytesPerPixel: number,
  fail: (what: string) => Error,
): Uint8Array {
  if (packed.length < 64) throw fail(`${packed.length} bytes of run lengths, the header alone has 64`);
  // A run of 128 bytes takes 2: more cannot be hidden in these bytes.
  if (pixels * bytesPerPixel > packed.length * 64)
    throw fail(`${pixels} pixels cannot come from ${packed.length} bytes`);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const segments = view.getUint32(0, true);
  if (segments !== bytesPerPixel) throw fail(`${segments} run-length segments for pixels of ${bytesPerPixel} bytes`);
  const out = new Uint8Array(pixels * bytesPerPixel);
  const plane = new Uint8Array(pixels);
  for (let segment = 0; segment < segments; segment++) {
    const start = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < segments ? view.getUint32(8 + 4 * segment, true) : packed.length;
    if (!(start >= 64 && start <= end && end <= packed.length))
      throw fail(`run-length segment at bytes ${start}..${end}`);
    unpack(packed.subarray(start, end), plane, fail);
    const byte = bytesPerPixel - 1 - segment;
    for (let pixel = 0; pixel < pixels; pixel++) out[pixel * bytesPerPixel + byte] = plane[pixel] ?? 0;
  }
  return out;
}

/** The part of `value` above the whole number below it. */
const fraction = (value: number) => value - Math.floor(value);

/** Where a colour stands on the circle, 0 to 1 from red; `high` is its largest channel, `spread` largest less smallest. */
function turnOf(r: number, g: number, b: number, high: number, spread: number): number {
  const sixths = r === high ? (g - b) / spread : g === high ? 2 + (b - r) / spread : 4 + (r - g) / spread;
  return fraction(sixths / 6 + 1);
}

/**
 * Samples of RGB, three a pixel, with their hue turned by `shift` of a full turn (-0.5 to 0.5); value and saturation stay.
 */
export function floatHue(data: Float32Array, shift: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const [r, g, b] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
    const high = Math.max(r, g, b);
    const spread = high - Math.min(r, g, b);
    const sixths = spread === 0 ? 0 : fraction(turnOf(r, g, b, high, spread) + shift) * 6;
    // A channel is the highest for a third of the circle, the lowest for another, and rises or falls between (HSV).
    for (const [channel, offset] of [5, 3, 1].entries()) {
      const place = (offset + sixths) % 6;
      out[at + channel] = high - spread * Math.max(0, Math.min(place, 4 - place, 1));
    }
  }
  return out;
}

import { SIDE } from "./setting.ts";

/** Waves of three lengths, in RGB bytes: no two regions are alike, and none is flat. */
export function drawnPicture(): Uint8Array {
  const wave = (x: number, y: number, channel: number) =>
    Math.sin((x * (channel + 1)) / 9 + channel) * Math.cos(y / (7 + 3 * channel));
  return Uint8Array.from({ length: 3 * SIDE ** 2 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return Math.round(127.5 * (1 + wave(pixel % SIDE, Math.floor(pixel / SIDE), i % 3)));
  });
}

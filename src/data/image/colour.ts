import { floatHue } from "./float-hue.ts";
import { emptyLike, type Picture } from "./image.ts";

const { fround } = Math;

/** Whether the channels are red, green and blue. */
const isRgb = ({ channels, measured }: Picture): boolean => channels === 3 && measured !== true;

/** Each pixel's mean over its channels, of bytes rounded. */
function meanOfChannels<P extends Picture>({ data, channels }: P): P["data"] {
  const out = emptyLike<P["data"]>(data, data.length / channels);
  for (let index = 0; index < out.length; index++) {
    let sum = 0;
    for (let at = index * channels; at < (index + 1) * channels; at++) sum += data[at] ?? 0;
    out[index] = data instanceof Float32Array ? sum / channels : Math.round(sum / channels);
  }
  return out;
}

/**
 * Pillow's luma: 0.299 R + 0.587 G + 0.114 B, of bytes in 16-bit fixed point. One sample a pixel, of the picture's kind;
 * one-channel images as they are, of channels that are no colours their mean.
 */
export function luma<P extends Picture>(image: P): P["data"] {
  const { data, channels } = image;
  if (channels === 1) return data;
  if (!isRgb(image)) return meanOfChannels(image);
  const out = emptyLike<P["data"]>(data, data.length / 3);
  const isFloat = data instanceof Float32Array;
  for (let index = 0, at = 0; index < out.length; index++, at += 3) {
    const [r, g, b] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
    out[index] = isFloat ? 0.299 * r + 0.587 * g + 0.114 * b : (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16;
  }
  return out;
}

/** base + factor (value - base) in float32, clamped; an array of bytes truncates it. */
function blend(base: number, value: number, factor: number): number {
  return Math.min(Math.max(fround(base + fround(factor * (value - base))), 0), 255);
}

function mapped<P extends Picture>(image: P, change: (value: number) => number): P {
  const { data } = image;
  if (data instanceof Float32Array) return { ...image, data: data.map(change) };
  const table = Uint8Array.from({ length: 256 }, (_, value) => change(value));
  return { ...image, data: data.map((value) => table[value] ?? 0) };
}

/**
 * Every sample times `factor` (1 = unchanged). As all colour changes here exactly what Pillow 9.4 does to bytes: blends in
 * float32, hue through its 8-bit HSV. Floats go the same ways without rounding.
 */
export function brightness<P extends Picture>(image: P, factor: number): P {
  const single = fround(factor);
  return mapped(image, (value) => blend(0, value, single));
}

/** The mean of samples, of bytes rounded. */
function meanOf(samples: Picture["data"]): number {
  let sum = 0;
  for (const value of samples) sum += value;
  const exact = sum / samples.length;
  return samples instanceof Float32Array ? exact : Math.trunc(exact + 0.5);
}

/**
 * Distance from the image's mean luma times `factor` (1 = unchanged); where channels are no colours, from each channel's
 * own mean.
 */
export function contrast<P extends Picture>(image: P, factor: number): P {
  const single = fround(factor);
  if (isRgb(image) || image.channels === 1) {
    const mean = meanOf(luma(image));
    return mapped(image, (value) => blend(mean, value, single));
  }
  const { channels } = image;
  const data = emptyLike(image.data, image.data.length);
  for (let channel = 0; channel < channels; channel++) {
    const mean = meanOf(image.data.filter((_, at) => at % channels === channel));
    for (let at = channel; at < data.length; at += channels) data[at] = blend(mean, image.data[at] ?? 0, single);
  }
  return { ...image, data };
}

/** Distance from the pixel's own luma times `factor` (1 = unchanged). Images without colours have none and stay. */
export function saturation<P extends Picture>(image: P, factor: number): P {
  if (!isRgb(image)) return image;
  const gray = luma(image);
  const single = fround(factor);
  const data = emptyLike(image.data, image.data.length);
  for (let at = 0, pixel = 0; at < data.length; at += 3, pixel++) {
    const base = gray[pixel] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      data[at + channel] = blend(base, image.data[at + channel] ?? 0, single);
    }
  }
  return { ...image, data };
}

/** Pillow's hue byte of a pixel that is not grey: sixths of a turn, offset by the strongest channel. */
function hueByte(r: number, g: number, b: number, high: number, spread: number): number {
  const fromRed = fround((high - r) / spread);
  const fromGreen = fround((high - g) / spread);
  const fromBlue = fround((high - b) / spread);
  let turn = 0;
  if (r === high) turn = fround(fromBlue - fromGreen);
  else if (g === high) turn = fround(2 + fromRed - fromBlue);
  else turn = fround(4 + fromGreen - fromRed);
  return Math.min(Math.trunc(fround((turn / 6 + 1) % 1) * 255), 255);
}

function write(out: Uint8Array, at: number, r: number, g: number, b: number): void {
  out[at] = r;
  out[at + 1] = g;
  out[at + 2] = b;
}

/** Writes the RGB bytes of Pillow's hue `h`, saturation `s` (not 0) and value `v` to `out` at `at`. */
function writeRgb(out: Uint8Array, at: number, h: number, s: number, v: number): void {
  const turn = (h * 6) / 255;
  const sector = Math.floor(turn);
  const part = fround(turn - sector);
  const strength = fround(s / 255);
  const low = Math.floor(v * (1 - strength) + 0.5);
  const falling = Math.floor(v * (1 - fround(strength * part)) + 0.5);
  const rising = Math.floor(v * (1 - strength * (1 - part)) + 0.5);
  switch (sector % 6) {
    case 0:
      write(out, at, v, rising, low);
      break;
    case 1:
      write(out, at, falling, v, low);
      break;
    case 2:
      write(out, at, low, v, rising);
      break;
    case 3:
      write(out, at, low, falling, v);
      break;
    case 4:
      write(out, at, rising, low, v);
      break;
    default:
      write(out, at, v, low, falling);
  }
}

/** Hue turned by `shift` of a full turn (-0.5 to 0.5; 0 still passes bytes through 8-bit HSV). Images without colours stay. */
export function hue<P extends Picture>(image: P, shift: number): P {
  if (!isRgb(image)) return image;
  const { data } = image;
  if (data instanceof Float32Array) return { ...image, data: floatHue(data, shift) };
  const out = new Uint8Array(data.length);
  const offset = Math.trunc(shift * 255);
  for (let at = 0; at < data.length; at += 3) {
    const r = data[at] ?? 0;
    const g = data[at + 1] ?? 0;
    const b = data[at + 2] ?? 0;
    const high = Math.max(r, g, b);
    const spread = high - Math.min(r, g, b);
    const s = spread === 0 ? 0 : Math.trunc(fround(fround(spread / high) * 255));
    if (s === 0) write(out, at, high, high, high);
    else writeRgb(out, at, (hueByte(r, g, b, high, spread) + offset) & 255, s, high);
  }
  return { ...image, data: out };
}

/** Colours in another order: output channel i is input channel order[i]. Images without colours stay. */
export function permuteChannels<P extends Picture>(image: P, order: ArrayLike<number>): P {
  if (!isRgb(image)) return image;
  const { data } = image;
  const [first = 0, second = 1, third = 2] = [order[0], order[1], order[2]];
  const out = emptyLike(data, data.length);
  for (let at = 0; at < data.length; at += 3) {
    out[at] = data[at + first] ?? 0;
    out[at + 1] = data[at + second] ?? 0;
    out[at + 2] = data[at + third] ?? 0;
  }
  return { ...image, data: out };
}

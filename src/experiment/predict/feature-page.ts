import type { ByteImage } from "../../data/image/image.ts";
import { resize, resizeNearest } from "../../data/image/resample.ts";
import { picturePage } from "../evaluate/picture-page.ts";
import type { FeatureMap } from "./features.ts";

/** Colours from low to high: nine of matplotlib's viridis (CC0), which stay in order for colour-blind eyes and in grey. */
const VIRIDIS = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
] as const;

/** Pixels of a tile's longer side. */
const TILE = 128;

/** What the colours of a page stand for: the smallest and largest number on it. */
export interface Scale {
  readonly low: number;
  readonly high: number;
}

/** A network's map with what stands beside it on the page: a name, and the image as the network sees it. */
export interface NamedMap {
  readonly label: string;
  readonly image: ByteImage;
  readonly map: FeatureMap;
}

/** The mean over the channels, `[height, width]`. */
export function channelMean({ data, height, width, channels }: FeatureMap): Float32Array {
  return Float32Array.from({ length: height * width }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += data[i * channels + c] ?? 0;
    return sum / channels;
  });
}

/** One channel, `[height, width]`. */
function channelOf({ data, height, width, channels }: FeatureMap, channel: number): Float32Array {
  return Float32Array.from({ length: height * width }, (_, i) => data[i * channels + channel] ?? 0);
}

/** The colour of a number on a scale, linearly between those of {@link VIRIDIS}; a scale of one number is its low end. */
export function colourOf(value: number, { low, high }: Scale): readonly number[] {
  const share = high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
  const at = share * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const [from, to] = [VIRIDIS[below] ?? [0, 0, 0], VIRIDIS[below + 1] ?? [0, 0, 0]];
  return from.map((part, i) => Math.round(part + (at - below) * ((to[i] ?? 0) - part)));
}

/**
 * A page of one tap: a row for each network, in it the image, the mean over the channels and the first `channels` of them, all in the
 * colours of one scale, which the page states. Returns the page and the scale.
 */
export function featurePage(
  maps: readonly NamedMap[],
  channels: number,
): { readonly page: ByteImage; readonly scale: Scale } {
  const shown = Math.min(channels, ...maps.map(({ map }) => map.channels));
  const rows = maps.map(({ image, map }) => ({
    image,
    map,
    planes: [channelMean(map), ...Array.from({ length: shown }, (_, c) => channelOf(map, c))],
  }));
  const scale = scaleOf(rows.flatMap(({ planes }) => planes));
  const pictures = rows.flatMap(({ image, map, planes }, row) => [
    { picture: tile(image, resize), caption: `${row + 1}` },
    ...planes.map((plane, i) => ({
      picture: tile(drawnPlane(plane, map, scale), resizeNearest),
      caption: i === 0 ? "mean" : `channel ${i - 1}`,
    })),
  ]);
  const [first] = maps;
  const size = first ? `${first.map.width}x${first.map.height}, ${first.map.channels} channels` : "";
  const page = picturePage(pictures, {
    title: [`${first?.map.name ?? ""} (${size})`, ...maps.map(({ label }, row) => `${row + 1}: ${label}`)],
    legend: [
      { text: `low ${scale.low.toPrecision(4)}`, colour: [...VIRIDIS[0]] },
      { text: `high ${scale.high.toPrecision(4)}`, colour: [...(VIRIDIS.at(-1) ?? VIRIDIS[0])] },
      { text: "one linear scale for all maps here" },
    ],
    columns: 2 + shown,
  });
  return { page, scale };
}

function scaleOf(planes: readonly Float32Array[]): Scale {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const plane of planes) {
    for (const value of plane) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return { low, high };
}

function drawnPlane(plane: Float32Array, { width, height }: FeatureMap, scale: Scale): ByteImage {
  const data = new Uint8Array(3 * width * height);
  for (const [i, value] of plane.entries()) data.set(colourOf(value, scale), 3 * i);
  return { width, height, channels: 3, data };
}

/** A picture at the size of a tile, its shape kept. */
function tile(picture: ByteImage, stretch: typeof resizeNearest | typeof resize): ByteImage {
  const factor = TILE / Math.max(picture.width, picture.height);
  const side = (length: number) => Math.max(1, Math.round(length * factor));
  return stretch(picture, { width: side(picture.width), height: side(picture.height) }, "bicubic");
}

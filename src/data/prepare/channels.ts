import { DataError } from "../../errors.ts";
import { type PictureOptions, readPicture } from "../decode.ts";
import type { NiftiVolume } from "../formats/nifti.ts";
import { openNifti } from "../formats/nifti-file.ts";
import { requireSamePlace } from "../formats/placement.ts";
import type { ValueSlice } from "../formats/values.ts";
import { type ChosenView, chooseView, viewText, type Window } from "../formats/window.ts";
import { type ByteImage, filled, type Picture } from "../image/image.ts";
import type { VolumeChannel } from "./plan.ts";

/** The most channels of a case: red, green and blue. */
export const MOST_CHANNELS = 3;

/** One grey image as it is; several as red, green and, where there is a third, blue. All of one size. */
export function inColour(channels: readonly ByteImage[]): ByteImage {
  const [first, ...others] = channels;
  if (first === undefined) throw new RangeError("an image without channels");
  if (others.length === 0) return first;
  const out = filled(first, 3, 0);
  for (const [at, { data }] of channels.entries()) {
    for (let pixel = 0; pixel < data.length; pixel++) out.data[pixel * 3 + at] = data[pixel] ?? 0;
  }
  return out;
}

/** The grey levels of a picture in three channels. Throws DataError where it has colours. */
function greyOf({ data }: Picture, file: string): Picture["data"] {
  const grey = data.filter((_, at) => at % 3 === 0);
  for (let at = 0; at < data.length; at += 3) {
    if (data[at] === data[at + 1] && data[at] === data[at + 2]) continue;
    throw new DataError(
      `${file}: is one channel of a case and has colours; a channel is a grey picture (pixel ${at / 3} is ${data.slice(at, at + 3).join(", ")})`,
    );
  }
  return grey;
}

/**
 * A picture from the files of its channels: of one file as it is, of several grey ones as red, green, blue; with sentences
 * about what deep ones are shown through. Throws DataError as the reader of pictures does, and where sizes differ or a channel has
 * colours.
 */
export async function readChannels(
  files: readonly string[],
  options: PictureOptions,
): Promise<{ readonly picture: Picture; readonly views: readonly string[] }> {
  const views: string[] = [];
  const read: Picture[] = [];
  for (const file of files) {
    const { picture, view } = await readPicture(file, options);
    if (view !== undefined) views.push(`${file}: ${viewText(view)}`);
    read.push(picture);
  }
  const [first, ...others] = read;
  if (first === undefined) throw new RangeError("a picture without files");
  if (others.length === 0) return { picture: first, views };
  const data = new Float32Array(first.data.length);
  for (const [at, picture] of read.entries()) {
    const file = files[at] ?? "";
    if (picture.width !== first.width || picture.height !== first.height) {
      throw new DataError(
        `${file}: has ${picture.width}x${picture.height} pixels, another channel of the case, ${files[0]}, ` +
          `${first.width}x${first.height}; channels of a case have one size`,
      );
    }
    greyOf(picture, file).forEach((value, pixel) => {
      data[pixel * 3 + at] = value;
    });
  }
  return { picture: { ...first, data }, views };
}

/** One channel of an opened scan. */
export interface OpenChannel {
  readonly channel: VolumeChannel;
  readonly volume: NiftiVolume;
  /** What all of its slices are shown through. */
  readonly view: ChosenView;
  slice(z: number): ValueSlice;
}

/**
 * Opens the channels of a scan, each file once, and chooses what they are shown through: `asked`, their own window, or percentiles. Throws DataError where a file has no such volume, or does not lie where the first
 * one does, unless `trustOrder`.
 */
export async function openChannels(
  channels: readonly [VolumeChannel, ...VolumeChannel[]],
  { asked, trustOrder }: { readonly asked: Window | undefined; readonly trustOrder: boolean },
): Promise<readonly [OpenChannel, ...OpenChannel[]]> {
  const files = new Map<string, NiftiVolume>();
  const first = await openNifti(channels[0].file);
  files.set(first.file, first);
  const open = async (channel: VolumeChannel): Promise<OpenChannel> => {
    const volume = files.get(channel.file) ?? (await openNifti(channel.file));
    files.set(channel.file, volume);
    requireSamePlace(first, volume, trustOrder);
    if (channel.volume >= volume.volumes) {
      throw new DataError(
        `${channel.file}: has ${volume.volumes} volume${volume.volumes === 1 ? "" : "s"}, channel ${channel.volume} is asked ` +
          "for; name others with --channels, counted from 0",
      );
    }
    const slice = (z: number) => volume.slice(z, channel.volume);
    function* slices() {
      for (let z = 0; z < volume.size[2]; z++) yield slice(z);
    }
    return { channel, volume, slice, view: chooseView(slices, { asked, dataset: channel.window }) };
  };
  const opened: [OpenChannel, ...OpenChannel[]] = [await open(channels[0])];
  for (const channel of channels.slice(1)) opened.push(await open(channel));
  return opened;
}

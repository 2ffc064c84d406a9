import type { Picture } from "../../data/image/image.ts";
import type { PixelSize } from "../../objects/shape.ts";

/** An image that was chosen: one picture, or the slices of a scan. */
export interface Chosen {
  readonly name: string;
  readonly slices: number;
  readonly pixelSize: PixelSize | undefined;
  /** What a person should know of how it is shown. */
  readonly note: string;
  /** A slice, from 0, as the network sees it: three channels, 0 to 255. */
  picture(slice: number): Promise<Picture>;
}

import sharp from "sharp";
import type { ByteImage, Size } from "../image/image.ts";

/** How a picture for a page is made small. */
interface WebpOptions {
  /** The picture is made to fit in, never larger. */
  readonly within?: Size;
  /** 1 to 100; 100 keeps every pixel. */
  readonly quality: number;
}

/** A picture of one or three channels as WebP, made smaller where it does not fit. */
export function encodeWebp({ data, width, height, channels }: ByteImage, { within, quality }: WebpOptions) {
  const raw = { width, height, channels: channels === 1 ? 1 : 3 } as const;
  const picture = sharp(data, { raw });
  const fitted =
    within === undefined ? picture : picture.resize({ ...within, fit: "inside", withoutEnlargement: true });
  return fitted.webp(quality === 100 ? { lossless: true } : { quality, effort: 2 }).toBuffer();
}

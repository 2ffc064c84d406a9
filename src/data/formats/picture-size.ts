import { DataError } from "../../errors.ts";
import { machineMemory } from "../../machine-memory.ts";
import { looksLikePng } from "../codec/png-read.ts";
import { DEFLATE_RATIO } from "../deflate.ts";

/** Bytes of machine memory that a pixel to be decoded asks for: pixels as bytes and as floats, what is drawn, what is found. */
const MEMORY_A_PIXEL = 32;
/** Pixels of a picture whose file is small beside it: 1 GiB of RGB. A file may be made to announce more than it shows. */
const MOST_OF_A_SMALL_FILE = Math.floor(2 ** 30 / 3);
/** How many times its file's size a picture is, from which the file counts as small. Photographs stay far below. */
const SMALL_FILE_RATIO = 100;

/** Samples a pixel by the PNG colour type. */
const PNG_SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/**
 * Throws DataError, before anything is decoded, where a picture has more pixels than can be held here or than its file
 * can hold. `memory` is what this process may use, in bytes.
 */
export function requireDecodable(
  bytes: Buffer,
  file: string,
  { width = 0, height = 0 }: { readonly width?: number; readonly height?: number },
  memory = machineMemory(),
): void {
  requireEnoughPacked(bytes, file, width, height);
  const pixels = width * height;
  const room = Math.floor(memory / MEMORY_A_PIXEL);
  const isSmall = 3 * pixels > SMALL_FILE_RATIO * bytes.length;
  const most = isSmall ? Math.min(MOST_OF_A_SMALL_FILE, room) : room;
  if (pixels <= most) return;
  throw new DataError(
    `${file}: ${width}x${height} are ${megapixels(pixels)} megapixels; the limit is ${megapixels(most)} ` +
      `${most === room ? "with this machine's memory" : `for a file of ${bytes.length} bytes`}, cut it into smaller pictures`,
  );
}

const megapixels = (pixels: number): string => (pixels / 1e6).toFixed(0);

/** A few bytes may announce a picture of terabytes: a PNG's data unpack to so many times their length at the most. */
function requireEnoughPacked(bytes: Buffer, file: string, width: number, height: number): void {
  if (bytes.length < 33 || !looksLikePng(bytes)) return;
  const samples = PNG_SAMPLES[bytes[25] ?? 0] ?? 1;
  const announced = height * Math.ceil((width * samples * (bytes[24] ?? 8)) / 8);
  if (announced <= DEFLATE_RATIO * bytes.length) return;
  throw new DataError(
    `${file}: the PNG is damaged or cut short (its header announces ${announced} bytes of pixels, the ${bytes.length} of the ` +
      "file cannot hold them); restore the file from its source",
  );
}

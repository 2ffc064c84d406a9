import { emptyLike, type Picture } from "../data/image/image.ts";
import type { Score } from "./tiles.ts";

/** One of the eight: rows and columns exchanged first, then mirrored. */
interface View {
  readonly transposed: boolean;
  readonly mirrored: boolean;
  readonly upsideDown: boolean;
}

const VIEWS: readonly View[] = [false, true].flatMap((transposed) =>
  [false, true].flatMap((mirrored) => [false, true].map((upsideDown) => ({ transposed, mirrored, upsideDown }))),
);

/** For every pixel of the view, in its own order, the place of the picture's pixel that it shows. */
function placesOf({ transposed, mirrored, upsideDown }: View, width: number, height: number): Uint32Array {
  const places = new Uint32Array(width * height);
  const columns = transposed ? height : width;
  for (let at = 0; at < places.length; at++) {
    const row = Math.floor(at / columns);
    const column = at - row * columns;
    const x = transposed ? row : column;
    const y = transposed ? column : row;
    places[at] = (upsideDown ? height - 1 - y : y) * width + (mirrored ? width - 1 - x : x);
  }
  return places;
}

function viewed<P extends Picture>(image: P, view: View, places: Uint32Array): P {
  const { width, height, channels } = image;
  const data = emptyLike(image.data, image.data.length);
  for (const [at, place] of places.entries()) {
    for (let c = 0; c < channels; c++) data[at * channels + c] = image.data[place * channels + c] ?? 0;
  }
  return view.transposed ? { ...image, width: height, height: width, data } : { ...image, data };
}

/**
 * Test-time augmentation: scores of `image`, `[height, width, classes]`, as the mean over the eight ways to lay a
 * picture on itself (flips and quarter turns), each turned back.
 */
export async function averageViews(image: Picture, classes: number, score: Score): Promise<Float32Array> {
  const sums = new Float32Array(image.width * image.height * classes);
  for (const view of VIEWS) {
    const places = placesOf(view, image.width, image.height);
    const scores = await score(viewed(image, view, places));
    for (const [at, place] of places.entries()) {
      for (let c = 0; c < classes; c++) {
        sums[place * classes + c] = (sums[place * classes + c] ?? 0) + (scores[at * classes + c] ?? 0) / VIEWS.length;
      }
    }
  }
  return sums;
}

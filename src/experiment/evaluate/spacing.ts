import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import type { Size } from "../../data/image/image.ts";

/**
 * Millimetres between rows and between columns of a sample that is compared at `size`: its pixels grow where it is
 * stretched to fewer. Undefined where its data set does not say how large they are.
 */
export function spacingOf(
  { spacing, height, width }: CheckedSample,
  size: Size,
): readonly [row: number, column: number] | undefined {
  if (spacing === undefined) return undefined;
  const [column, row] = spacing;
  return [(row * height) / size.height, (column * width) / size.width];
}

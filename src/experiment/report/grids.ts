import type { Device } from "../../kernels/device/device.ts";
import type { PictureGrid, ReportImage, ReportRun } from "./data.ts";
import type { SetNames } from "./images.ts";

/** What grids are made of. */
interface GridInput {
  readonly runs: readonly ReportRun[];
  readonly images: readonly ReportImage[];
  readonly sets: SetNames;
  readonly note: (sentence: string) => void;
}

export async function pictureGrids(
  _device: Device,
  _input: GridInput,
  _named?: readonly string[],
): Promise<PictureGrid[]> {
  return [];
}

import { encodeLabels } from "../../data/codec/png-labels.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { element } from "../dom.ts";
import { contextOf } from "./parts.ts";
import { type Result, tableOf } from "./results.ts";

/** The name of what is saved: the image's without its ending, as `svanet predict` names its files. */
export function stemOf({ name, slice }: Pick<Result, "name" | "slice">): string {
  const stem = name.replace(/(\.nii)?\.[^.]+$/, "");
  return slice === undefined ? stem : `${stem}_${String(slice).padStart(4, "0")}`;
}

/** Saves the mask as a PNG of class indices: the bytes that `svanet predict` writes of the same mask. */
export function saveMask(result: Result, { colours }: CheckpointFacts): void {
  save(`${stemOf(result)}.png`, "image/png", encodeLabels(result.mask, colours) as Uint8Array<ArrayBuffer>);
}

/** Saves the table of objects. */
export function saveTable(result: Result, facts: CheckpointFacts): void {
  save(`${stemOf(result)}-objects.csv`, "text/csv", tableOf(result, facts));
}

/** Saves the image with what was found over it, as it is shown: `opacity` is 0 to 1. */
export function saveOverlay(
  result: Result,
  picture: HTMLCanvasElement,
  overlay: HTMLCanvasElement,
  opacity: number,
): void {
  const sheet = element("canvas", { attributes: { width: picture.width, height: picture.height } });
  const context = contextOf(sheet);
  context.drawImage(picture, 0, 0);
  context.globalAlpha = opacity;
  context.drawImage(overlay, 0, 0);
  sheet.toBlob((blob) => blob && save(`${stemOf(result)}-overlay.png`, "image/png", blob), "image/png");
}

function save(name: string, type: string, content: BlobPart): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  element("a", { attributes: { href: address, download: name } }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

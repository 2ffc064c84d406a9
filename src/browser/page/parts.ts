import { byId } from "../dom.ts";

/** An element of the page by its id, of the kind that its HTML says. Throws where they do not belong together. */
export function part<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = byId(id);
  if (found instanceof kind) return found;
  throw new Error(`#${id} of the page is no ${kind.name}`);
}

export const button = (id: string): HTMLButtonElement => part(id, HTMLButtonElement);
export const input = (id: string): HTMLInputElement => part(id, HTMLInputElement);

/** Shows or hides an element. */
export function show(id: string, shown: boolean): void {
  byId(id).hidden = !shown;
}

/** The drawing context of a canvas. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { colorSpace: "srgb", willReadFrequently: true });
  if (context) return context;
  throw new Error("the browser draws on no canvas");
}

/** Puts bytes of red, green, blue and opacity on a canvas of their size. */
export function paint(canvas: HTMLCanvasElement, rgba: Uint8ClampedArray<ArrayBuffer>, width: number): void {
  const height = rgba.length / (4 * width);
  canvas.width = width;
  canvas.height = height;
  contextOf(canvas).putImageData(new ImageData(rgba, width, height), 0, 0);
}

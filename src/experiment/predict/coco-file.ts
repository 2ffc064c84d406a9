import { type CocoAnnotation, cocoAnnotation, cocoCategories } from "../../data/export/coco.ts";
import type { FoundObject, ShownClass } from "../../data/export/found-object.ts";
import { AtomicFile } from "../../files/atomic.ts";

/** An image with its objects. */
export interface CocoImage {
  /** The image's file name, without its folder. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Of a stack, from 0. */
  readonly slice?: number | undefined;
  readonly objects: readonly FoundObject[];
}

/** A COCO file written image by image, so that the annotations of many need not fit in memory. */
export class CocoFile {
  readonly #file: AtomicFile;
  readonly #classes: readonly ShownClass[];
  readonly #images: object[] = [];
  #annotations = 0;

  /** Starts `path`; it takes its name when `finish` is called. */
  constructor(path: string, classes: readonly ShownClass[]) {
    this.#file = new AtomicFile(path);
    this.#classes = classes;
    this.#append('{"annotations":[');
  }

  add({ name, width, height, slice, objects }: CocoImage): void {
    const image = this.#images.length + 1;
    this.#images.push({ id: image, file_name: name, width, height, ...(slice === undefined ? {} : { slice }) });
    const found = objects.map((object): CocoAnnotation => {
      this.#annotations++;
      return cocoAnnotation(object, { width, height }, { id: this.#annotations, image });
    });
    const first = this.#annotations === found.length;
    found.forEach((annotation, index) => {
      this.#append(`${first && index === 0 ? "" : ","}\n${JSON.stringify(annotation)}`);
    });
  }

  /** Ends the file; without an image there is none. */
  finish(): void {
    if (this.#images.length === 0) {
      this.discard();
      return;
    }
    const images = this.#images.map((image) => JSON.stringify(image)).join(",\n");
    const categories = JSON.stringify(cocoCategories(this.#classes));
    this.#append(`\n],"images":[\n${images}\n],"categories":${categories}}\n`);
    this.#file.finish();
  }

  /** Removes what was written, unless it is finished. */
  discard(): void {
    this.#file.discard();
  }

  #append(text: string): void {
    this.#file.append(new TextEncoder().encode(text));
  }
}

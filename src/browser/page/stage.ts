import type { Box } from "../../data/export/found-object.ts";
import type { Size } from "../../data/image/image.ts";
import { byId } from "../dom.ts";
import { button } from "./parts.ts";

/** Largest zoom, in pixels of the screen for one of the image. */
const MOST_ZOOM = 40;
/** From this zoom on single pixels are shown. */
const NEAR = 3;
const ZOOM_STEP = 1.5;
/** Pixels of the screen that an arrow key moves the image by. */
const KEY_STEP = 60;
/** How much of the stage an object fills that is zoomed to. */
const FILLED = 0.5;

/** The part of the page that shows the image: fits it in, zooms and moves it by wheel, pointer, buttons and keys. */
export class Stage {
  readonly #stage = byId("stage");
  readonly #sheet = byId("sheet");
  #size: Size = { width: 1, height: 1 };
  #zoom = 1;
  #left = 0;
  #top = 0;

  constructor() {
    this.#stage.tabIndex = 0;
    button("zoom-in").addEventListener("click", () => this.#zoomBy(ZOOM_STEP));
    button("zoom-out").addEventListener("click", () => this.#zoomBy(1 / ZOOM_STEP));
    button("zoom-fit").addEventListener("click", () => this.fit());
    this.#stage.addEventListener("keydown", (event) => this.#key(event));
    this.#stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#stage.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) this.#move(event.movementX, event.movementY);
    });
    this.#stage.addEventListener("pointerdown", ({ pointerId }) => this.#stage.setPointerCapture(pointerId));
    new ResizeObserver(() => this.fit()).observe(this.#stage);
  }

  /** Shows an image of another size whole; one of the same size stays where it is. */
  resize(size: Size): void {
    if (size.width === this.#size.width && size.height === this.#size.height) return;
    this.#size = size;
    this.fit();
  }

  /** The whole image, as large as it can be. */
  fit(): void {
    this.look({ left: 0, top: 0, right: this.#size.width, bottom: this.#size.height }, 1);
  }

  /** The part of the image in `box`, in the middle of the stage; it fills `share` of it. */
  look({ left, top, right, bottom }: Box, share = FILLED): void {
    const { clientWidth: width, clientHeight: height } = this.#stage;
    this.#zoom = Math.min(MOST_ZOOM, share * Math.min(width / (right - left), height / (bottom - top)));
    this.#left = width / 2 - (this.#zoom * (left + right)) / 2;
    this.#top = height / 2 - (this.#zoom * (top + bottom)) / 2;
    this.#place();
  }

  #zoomBy(factor: number, x = this.#stage.clientWidth / 2, y = this.#stage.clientHeight / 2): void {
    const zoom = Math.min(MOST_ZOOM, Math.max(1e-3, this.#zoom * factor));
    this.#left = x - ((x - this.#left) * zoom) / this.#zoom;
    this.#top = y - ((y - this.#top) * zoom) / this.#zoom;
    this.#zoom = zoom;
    this.#place();
  }

  #move(x: number, y: number): void {
    this.#left += x;
    this.#top += y;
    this.#place();
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    this.#zoomBy(ZOOM_STEP ** (-event.deltaY / 150), event.offsetX, event.offsetY);
  }

  #key(event: KeyboardEvent): void {
    const acts: Readonly<Record<string, () => void>> = {
      "+": () => this.#zoomBy(ZOOM_STEP),
      "-": () => this.#zoomBy(1 / ZOOM_STEP),
      "0": () => this.fit(),
      ArrowLeft: () => this.#move(KEY_STEP, 0),
      ArrowRight: () => this.#move(-KEY_STEP, 0),
      ArrowUp: () => this.#move(0, KEY_STEP),
      ArrowDown: () => this.#move(0, -KEY_STEP),
    };
    const act = acts[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  #place(): void {
    this.#sheet.style.transform = `translate(${this.#left}px, ${this.#top}px) scale(${this.#zoom})`;
    this.#sheet.classList.toggle("near", this.#zoom >= NEAR);
  }
}

import { boxOf } from "../../data/export/found-object.ts";
import { drawn } from "../../data/image/image.ts";
import { DeviceLostError, SvanetError } from "../../errors.ts";
import type { PageManifest } from "../../page-manifest.ts";
import { byId, element } from "../dom.ts";
import type { Chosen } from "./chosen.ts";
import { saveMask, saveOverlay, saveTable } from "./downloads.ts";
import { type Engine, openEngine } from "./engine.ts";
import { showLegend, showNumbers } from "./objects-table.ts";
import { button, input, paint, part, show } from "./parts.ts";
import { chosenOf } from "./read-files.ts";
import { type Result, resultOf } from "./results.ts";
import { Stage } from "./stage.ts";
import { classTints, opaque, probabilityTints } from "./tints.ts";

declare const svanetPage: PageManifest;

/** Pictures drawn over each other: what was given, and what was found. */
const picture = part("picture", HTMLCanvasElement);
const overlay = part("overlay", HTMLCanvasElement);
const showing = part("show", HTMLSelectElement);
const stage = new Stage();

let engine: Engine | undefined;
let chosen: Chosen | undefined;
let result: Result | undefined;
/** Counts what was asked for, so that an answer that comes late is not shown. */
let asked = 0;

const say = (text: string): void => {
  byId("status").textContent = text;
};

/** Says what went wrong, with a button to start again where that can help. */
function complain(error: unknown, restartable = false): void {
  say("");
  byId("notice-text").textContent = sentenceOf(error);
  show("notice", true);
  show("restart", restartable);
}

function sentenceOf(error: unknown): string {
  if (error instanceof DeviceLostError) {
    return "The GPU was lost: the tab may have slept, or its driver was reset. Your image is still here.";
  }
  const text = error instanceof Error ? error.message : String(error);
  const sentence = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
  return error instanceof SvanetError ? sentence : `Something in this page is wrong: ${sentence}`;
}

/** Opens the GPU with the network, and looks again at the image that was chosen. */
async function start(): Promise<void> {
  show("notice", false);
  engine = undefined;
  try {
    engine = await openEngine(svanetPage, { say, lost });
    say(`Ready on ${engine.adapter}`);
    if (chosen) await look();
  } catch (error) {
    complain(error, true);
  }
}

/** The one notice of a lost GPU: work that ends by it says nothing of its own. */
function lost(): void {
  asked++;
  complain(new DeviceLostError(""), true);
}

/** Shows files that were dropped or picked: the first at once, the others at a click. */
async function take(files: readonly File[]): Promise<void> {
  if (files.length === 0) return;
  await ready;
  if (engine === undefined) return;
  const images = await chosenOf(files, engine.facts.window);
  const entries = images.map(({ name, open }) => {
    const entry = element("button", { attributes: { type: "button" }, on: { click: () => void choose(open) } }, name);
    entry.addEventListener("click", () => press(entry));
    return entry;
  });
  byId("list").replaceChildren(...entries);
  show("list", entries.length > 1);
  entries[0]?.click();
}

function press(entry: HTMLElement): void {
  for (const other of byId("list").children) other.setAttribute("aria-pressed", String(other === entry));
}

async function choose(open: () => Promise<Chosen>): Promise<void> {
  show("notice", false);
  say("Reading the image");
  const turn = ++asked;
  try {
    const read = await open();
    if (turn !== asked) return;
    chosen = read;
    const slice = input("slice");
    slice.max = String(read.slices);
    slice.value = String(Math.ceil(read.slices / 2));
    show("slice-part", read.slices > 1);
    await look();
  } catch (error) {
    if (turn === asked) complain(error);
  }
}

/** Finds objects in the slice that is chosen, and shows them. */
async function look(): Promise<void> {
  if (engine === undefined || chosen === undefined) return;
  const turn = ++asked;
  const { name, slices, pixelSize, note } = chosen;
  const at = Number(input("slice").value) - 1;
  byId("slice-text").textContent = `${at + 1} of ${slices}`;
  say("Looking at the image");
  try {
    const image = await chosen.picture(at);
    await nextFrame();
    const began = performance.now();
    const found = await engine.find(image, { tiles: input("tiles").checked, views: input("views").checked });
    if (turn !== asked) return;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    result = resultOf({ name, slice: slices > 1 ? at : undefined, picture: image, pixelSize }, found, engine.facts);
    const tiled =
      found.tiled && !input("tiles").checked ? "worked in tiles, because the GPU cannot hold the whole" : "";
    byId("note").textContent = [note, tiled].filter((text) => text !== "").join("; ");
    draw(result, engine);
    say(`${name}: ${byId("summary").textContent}; took ${seconds} s on ${engine.adapter}`);
  } catch (error) {
    if (turn !== asked) return;
    // Its loss may be told by the work before it is told by the GPU.
    if (error instanceof DeviceLostError) lost();
    else complain(error);
  }
}

/** Lets the browser show what was said before work that it waits for. */
const nextFrame = () => new Promise((done) => setTimeout(done));

function draw(shown: Result, { facts }: Engine): void {
  const { width, height } = shown.mask;
  show("work", true);
  byId("drop").classList.add("slim");
  const { size } = svanetPage;
  show("tiles-part", facts.resolution !== "native" && (width > size.width || height > size.height));
  paint(picture, opaque(drawn(shown.picture)), width);
  stage.resize({ width, height });
  drawOverlay(shown, { facts });
  showNumbers(shown, facts, (object) => stage.look(boxOf(object, width)));
}

function drawOverlay(shown: Result, { facts }: Pick<Engine, "facts">): void {
  const by = showing.value === "certainty" ? "certainty" : "classes";
  const { mask, certainty } = shown;
  paint(overlay, by === "classes" ? classTints(mask, facts.colours) : probabilityTints(mask, certainty), mask.width);
  fade();
  showLegend(shown, facts, by);
}

const opacity = (): number => Number(input("opacity").value) / 100;

function fade(): void {
  overlay.style.opacity = String(opacity());
}

/** Calls `act` with what is shown, once something is. */
function withShown(act: (shown: Result, own: Engine) => void): () => void {
  return () => {
    if (result && engine) act(result, engine);
  };
}

function listen(): void {
  const files = input("files");
  files.addEventListener("change", () => {
    void take([...(files.files ?? [])]);
    files.value = "";
  });
  const drop = byId("drop");
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", type === "dragover");
      if (event instanceof DragEvent && type === "drop") void take([...(event.dataTransfer?.files ?? [])]);
    });
  }
  for (const id of ["slice", "tiles", "views"]) input(id).addEventListener("change", () => void look());
  input("slice").addEventListener("input", () => {
    byId("slice-text").textContent = `${input("slice").value} of ${input("slice").max}`;
  });
  input("opacity").addEventListener("input", fade);
  showing.addEventListener("change", withShown(drawOverlay));
  button("restart").addEventListener("click", () => void start());
  button("save-mask").addEventListener(
    "click",
    withShown((shown, { facts }) => saveMask(shown, facts)),
  );
  button("save-table").addEventListener(
    "click",
    withShown((shown, { facts }) => saveTable(shown, facts)),
  );
  button("save-overlay").addEventListener(
    "click",
    withShown((shown) => saveOverlay(shown, picture, overlay, opacity())),
  );
}

/** Pictures of the page's own to try. */
function offerExamples(): void {
  for (const file of svanetPage.examples) {
    const name = file.split("/").at(-1) ?? file;
    const image = element("img", { attributes: { src: file, alt: name } });
    const open = async () => take([new File([await (await fetch(file)).blob()], name)]);
    const attributes = { type: "button", "aria-label": `Try ${name}` };
    byId("examples").append(element("button", { attributes, on: { click: () => void open() } }, image));
  }
  show("examples", svanetPage.examples.length > 0);
}

/** Keeps the page's files for use without a network; where that is not allowed, the page works on a network only. */
function keepOffline(): void {
  navigator.serviceWorker?.register("worker.js").catch(() => undefined);
}

document.title = svanetPage.title;
byId("title").textContent = svanetPage.title;
byId("version").textContent = `svanet ${svanetPage.version}`;
listen();
offerExamples();
keepOffline();
const ready = start();

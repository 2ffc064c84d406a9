import { type Engine, type PageQuery, type PageTimes, PICTURE, weightsFile } from "../setting.ts";

/** The class of every pixel of a picture in RGB bytes. */
export type Predict = (picture: Uint8Array) => Promise<Uint8Array>;

declare global {
  /** What the browser's driver waits for. */
  var measured: Promise<PageTimes> | undefined;
}

/**
 * Times an engine in the page that it stands in, at once. `open` puts the network of a weights file's address on the GPU. Times
 * count from the moment that the page was asked for.
 */
export function measurePage(engine: Engine, open: (weights: string) => Promise<Predict>): void {
  globalThis.measured = measure(engine, open);
}

async function measure(engine: Engine, open: (weights: string) => Promise<Predict>): Promise<PageTimes> {
  const script = performance.now();
  const query = new URLSearchParams(location.search);
  const { network, runs } = {
    network: query.get("network") ?? "",
    runs: Number(query.get("runs")),
  } satisfies PageQuery;
  const bytes = fetch(PICTURE).then((response) => response.arrayBuffer());
  const predict = await open(weightsFile(engine, network));
  const picture = new Uint8Array(await bytes);
  const ready = performance.now();
  const mask = await predict(picture);
  const first = performance.now();
  const later: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await predict(picture);
    later.push(performance.now() - start);
  }
  return { script, ready, first, later, mask: [...mask] };
}

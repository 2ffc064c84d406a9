import type { Picture } from "../../data/image/image.ts";
import { CheckpointError, OutOfMemoryError } from "../../errors.ts";
import { loadModel } from "../../inference/load-model.ts";
import { type Finding, Predictor } from "../../inference/predictor.ts";
import { TILE_OVERLAP } from "../../inference/tiles.ts";
import { cachePrefix, type PageManifest } from "../../page-manifest.ts";
import { openWebDevice } from "../../platform/web/open-web-device.ts";

/** How an image is looked at. */
export interface Wishes {
  /** In overlapping tiles of the trained size, at the image's own resolution. */
  readonly tiles: boolean;
  /** The average over all flips and quarter turns. */
  readonly views: boolean;
}

/** What was found, and whether that took tiles although none were wished for. */
interface Found extends Finding {
  readonly tiled: boolean;
}

/** The network on the GPU. */
export type Engine = Awaited<ReturnType<typeof openEngine>>;

/** Megabytes as people count them. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * Opens the GPU and puts the page's network on it. `say` takes what is being done, `lost` the loss of the GPU afterwards.
 * Throws DeviceError where there is no GPU to work on, CheckpointError where the weights are missing or not those that the page
 * was written with.
 */
export async function openEngine(
  { weights }: PageManifest,
  { say, lost }: { readonly say: (text: string) => void; readonly lost: () => void },
) {
  const device = await openWebDevice({ onLost: lost });
  try {
    say(`Loading the network (${megabytes(weights.bytes)})`);
    const buffer = await fetchWeights(weights);
    say("Preparing the GPU");
    const { network, checkpoint } = await loadModel(device, buffer, weights.file);
    const { width, height } = network.config;
    const predictors = new Map<string, Predictor>();
    const predictorOf = ({ tiles, views }: Wishes): Predictor => {
      const key = `${tiles} ${views}`;
      const known = predictors.get(key);
      if (known) return known;
      const made = new Predictor(network, checkpoint, {
        views,
        ...(tiles ? { tiles: { size: { width, height }, overlap: TILE_OVERLAP } } : {}),
      });
      predictors.set(key, made);
      return made;
    };
    return {
      facts: checkpoint.facts,
      adapter: device.report.name,

      /** Finds objects in a picture; in tiles too where the GPU cannot hold the whole. */
      async find(picture: Picture, wishes: Wishes): Promise<Found> {
        try {
          return { ...(await predictorOf(wishes).find(picture)), tiled: wishes.tiles };
        } catch (error) {
          if (wishes.tiles || !(error instanceof OutOfMemoryError)) throw error;
          return { ...(await predictorOf({ ...wishes, tiles: true }).find(picture)), tiled: true };
        }
      },

      /** Lets go of everything on the GPU. */
      close(): void {
        for (const predictor of predictors.values()) predictor.destroy();
        network.destroy();
        device.close();
      },
    };
  } catch (error) {
    device.close();
    throw error;
  }
}

/** The weights' bytes, held against the hash in the script. */
async function fetchWeights({ file, sha256 }: PageManifest["weights"]): Promise<ArrayBuffer> {
  let answer: Response;
  try {
    answer = await fetch(file);
  } catch (error) {
    throw new CheckpointError(`the network's file ${file} does not come: check the connection, then start again`, {
      cause: error,
    });
  }
  if (!answer.ok) {
    throw new CheckpointError(
      `the network's file ${file} does not come (the server answers ${answer.status}): it must lie beside the page`,
    );
  }
  const buffer = await answer.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === sha256) return buffer;
  await forgetStored();
  throw new CheckpointError(
    `the network's file ${file} is not the one this page was written with (its SHA-256 begins with ${found.slice(0, 12)}, not ` +
      `${sha256.slice(0, 12)}): it was changed or damaged, so nothing is computed with it; write the page anew with svanet export web`,
  );
}

/** Drops what this page stored for use without a network, so that a mended file is asked for again. */
async function forgetStored(): Promise<void> {
  const own = cachePrefix(new URL("./", location.href).href);
  for (const name of await caches.keys()) if (name.startsWith(own)) await caches.delete(name);
}

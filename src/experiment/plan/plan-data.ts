import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import { ShapeError } from "../../errors.ts";
import { trainingNeeds } from "../../training/costs.ts";
import type { Room } from "../../training/fit.ts";
import type { TrainConfig, TrainField } from "../settings/config.ts";
import { networkFor, precisionOf, repeatOf } from "../settings/recipe.ts";
import { makePlan, type Plan, type PlanMemory } from "./plan.ts";
import { readFingerprint } from "./read-fingerprint.ts";

/** What is counted on where nobody says how much memory a GPU has: nnU-Net's smallest. */
const ASSUMED = 8 * 2 ** 30;

/** The memory that a plan counts on: as given, else what the machine lets a software driver have, else an assumption that says so. */
export function planMemory(given: number | undefined, room: Room | null): PlanMemory {
  if (given !== undefined) return { bytes: given, source: "--memory" };
  if (room?.gpu != null) {
    return { bytes: room.gpu, source: room.shared ? "what this machine lets its software driver have" : "the GPU's" };
  }
  const why = room === null ? "no GPU answers" : "WebGPU does not tell a GPU's memory";
  return { bytes: ASSUMED, source: `assumed, ${why}; --memory says it` };
}

interface PlanDataOptions {
  /** The configuration so far, and which fields of it were given. */
  readonly config: TrainConfig;
  readonly given: ReadonlySet<TrainField>;
  readonly memory: PlanMemory;
  /** Whether the host's share of a step comes out of the same memory, as a software driver's does. */
  readonly shared: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The plan for a checked data set whose `train` split is in use. Reads every training mask. Throws DataError for one that
 * cannot be read, OutOfMemoryError where no size fits, UsageError where given settings do not fit together.
 */
export async function planForData(dataset: CheckedDataset, options: PlanDataOptions): Promise<Plan> {
  const { config, given, memory, shared, onProgress } = options;
  const fingerprint = await readFingerprint(dataset, {
    workers: config.workers ?? undefined,
    ...(onProgress ? { onProgress } : {}),
  });
  const known = new Map<string, number | null>();
  const needs = (tried: TrainConfig, batch: number): number | null => {
    const { size, encoder, width } = tried;
    const key = JSON.stringify([size, encoder, width, batch]);
    const bytes = known.has(key) ? known.get(key) : bytesOf(tried, batch);
    known.set(key, bytes ?? null);
    return bytes ?? null;
  };
  const bytesOf = (tried: TrainConfig, batch: number): number | null => {
    try {
      const { gpu, host } = trainingNeeds(networkFor(tried, dataset), batch, repeatOf(tried), precisionOf(tried));
      return shared ? gpu + host : gpu;
    } catch (error) {
      if (error instanceof ShapeError) return null;
      throw error;
    }
  };
  return makePlan({ fingerprint, config, given, memory, needs });
}

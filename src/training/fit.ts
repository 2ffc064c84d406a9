import { OutOfMemoryError, ShapeError } from "../errors.ts";
import { type Allowance, CHECKPOINTS } from "../kernels/passes/recompute.ts";
import type { NetworkConfig } from "../model/zoo.ts";
import { inferenceNeeds, type Needs, trainingNeeds } from "./costs.ts";
import type { Precision } from "./passes.ts";

/** Bytes that work may take; null where nobody tells. */
export interface Room {
  readonly gpu: number | null;
  readonly host: number | null;
  /** Whether the GPU's memory is the host's, as a software driver's is. */
  readonly shared: boolean;
}

/** Work of a network on batches of its size. */
export interface Work {
  readonly kind: "inference" | "training";
  readonly batch: number;
  /** What a training step may compute twice, as its settings say. */
  readonly repeat?: Allowance | undefined;
  /** Default: f32. */
  readonly precision?: Precision | undefined;
}

/** Sides of images that are tried as a smaller size: multiples of what networks halve. */
const STEP = 32;
/** What a plan may need beyond the least, so that the size advised does fit. */
const RESERVE = 1.25;

/**
 * Throws OutOfMemoryError, before anything of it is allocated, where a network's work on images of its size cannot fit;
 * the message says what it needs, what there is, and the largest size that fits. Takes the time of a trace or two.
 */
export function requireFit(config: NetworkConfig, work: Work, room: Room): void {
  const needs = needsOf(config, work);
  if (fits(needs, room)) return;
  const { width, height } = config;
  const largest = largestSize(config, work, room, needs);
  const advice = checkpointAdvice(config, work, room) + smallerAdvice(work, largest);
  throw new OutOfMemoryError(
    `${work.kind} on ${work.batch === 1 ? "an image" : `batches of ${work.batch} images`} of ${width}x${height} needs at least ` +
      `${binary(needs.gpu)} of GPU memory and ${binary(needs.host)} of main memory, and there are ${roomText(room)}: ${advice}`,
  );
}

/** Where a step that holds less would fit: the flag that makes it so. */
function checkpointAdvice(config: NetworkConfig, work: Work, room: Room): string {
  if (work.kind !== "training" || work.repeat === CHECKPOINTS) return "";
  const needs = needsOf(config, { ...work, repeat: CHECKPOINTS });
  return fits(needs, room) ? `with --checkpoint-activations it needs ${binary(needs.gpu)} and fits; else ` : "";
}

function smallerAdvice({ batch }: Work, largest: number | null): string {
  if (largest === null) return "use a smaller --width or --batch-size";
  return `the largest --size that fits is about ${largest}${batch > 1 ? "; a smaller --batch-size leaves room for more" : ""}`;
}

function needsOf(config: NetworkConfig, { kind, batch, repeat, precision }: Work): Needs {
  return kind === "training"
    ? trainingNeeds(config, batch, repeat, precision)
    : inferenceNeeds(config, batch, precision);
}

function fits({ gpu, host }: Needs, room: Room): boolean {
  const within = (bytes: number, limit: number | null) => limit === null || bytes <= limit;
  return within(gpu, room.gpu) && within(room.shared ? gpu + host : host, room.host);
}

/** The side of the largest square image whose work fits with a reserve; null where none does. */
function largestSize(config: NetworkConfig, work: Work, room: Room, needs: Needs): number | null {
  const { width, height } = config;
  const least = room.shared ? needs.gpu + needs.host : Math.max(needs.gpu, needs.host);
  const limit = Math.min(room.gpu ?? Number.POSITIVE_INFINITY, room.host ?? Number.POSITIVE_INFINITY);
  // Activations grow with the pixels, so the first guess is near; weights, which do not, make it a little too large.
  let side = Math.floor(Math.sqrt((width * height * limit) / least / RESERVE) / STEP) * STEP;
  for (; side >= STEP; side -= STEP * Math.ceil(side / STEP / 20)) {
    const tried = triedNeeds({ ...config, width: side, height: side }, work);
    if (tried !== null && fits({ gpu: tried.gpu * RESERVE, host: tried.host * RESERVE }, room)) return side;
  }
  return null;
}

/** Null where the network takes no image of that size. */
function triedNeeds(config: NetworkConfig, work: Work): Needs | null {
  try {
    return needsOf(config, work);
  } catch (error) {
    if (error instanceof ShapeError) return null;
    throw error;
  }
}

function roomText({ gpu, host, shared }: Room): string {
  const parts = [
    ...(gpu === null || shared ? [] : [`${binary(gpu)} on a GPU`]),
    ...(host === null ? [] : [`${binary(host)} in this machine${shared ? " for both" : ""}`]),
  ];
  return parts.join(" and ");
}

/** `1.5 GiB`, `900 TiB`. */
export function binary(bytes: number): string {
  const units = ["MiB", "GiB", "TiB", "PiB"];
  let value = bytes / 2 ** 20;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

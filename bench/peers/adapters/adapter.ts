import type { Timed } from "../rounds.ts";
import type { WorkName } from "../works.ts";

/** A peer in the process that times it. */
export interface Peer {
  /** As in the table: `tfjs 4.22.0`. */
  readonly version: string;
  /** Whether its forward pass normalises by running statistics: it cannot train. */
  readonly frozen: boolean;
  /** A run of a work; null for what the peer has no operation for. */
  prepare(work: WorkName): Promise<Timed | null>;
}

/** The default export of `NAME.mjs`: foreign packages have no types here, since they are installed beside this folder only. */
export interface Adapter {
  open(): Promise<Peer>;
}

/** By what the table calls them: the file of each, and the flag that picks it. */
export const PEERS = [
  { peer: "ort-webgpu", flag: "ort", file: "ort-webgpu.mjs" },
  { peer: "ort-cpu", flag: "ort", file: "ort-cpu.mjs" },
  { peer: "tfjs", flag: "tfjs", file: "tfjs.mjs" },
  { peer: "jax", flag: "jax", file: "jax.mjs" },
  { peer: "torch-cpu", flag: "torch", file: "torch.mjs" },
] as const;

export type PeerName = (typeof PEERS)[number]["peer"];

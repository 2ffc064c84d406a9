import { openDevice } from "../../src/platform/node/open-device.ts";
import { type Adapter, PEERS } from "./adapters/adapter.ts";
import { prepareOurs } from "./ours.ts";
import { referenceKernel } from "./reference-kernel.ts";
import { type PeerRow, rowOf, timeRounds } from "./rounds.ts";
import { WORKS } from "./works.ts";

/** A process for one peer: what packages do to globals, and what they print, stays in it. */

/** What the process tells the one that started it. */
export type Told =
  | { readonly kind: "row"; readonly row: PeerRow }
  | { readonly kind: "note"; readonly text: string }
  /** Ours computes something else than it should: nothing is timed. */
  | { readonly kind: "refusal"; readonly text: string };

const tell = (told: Told) => new Promise<void>((done) => process.send?.(told, undefined, {}, () => done()));

async function measure(peer: string, names: readonly string[], rounds: number): Promise<void> {
  const entry = PEERS.find((one) => one.peer === peer);
  if (!entry) throw new Error(`there is no peer ${peer}`);
  const { open } = (await import(new URL(`adapters/${entry.file}`, import.meta.url).href)) as Adapter;
  const { version, frozen, prepare } = await open();
  await tell({ kind: "note", text: `${peer}: ${version}` });
  const reference = await referenceKernel();
  const device = await openDevice();
  for (const { name } of WORKS.filter((work) => names.includes(work.name))) {
    const theirs = await prepare(name);
    if (theirs === null) {
      await tell({ kind: "note", text: `${peer}: ${name}: it has no operation for it` });
      continue;
    }
    const ours = await prepareOurs(device, name, frozen);
    if (ours.refusal === null) {
      const timed = { reference, ours: ours.time, theirs };
      await tell({ kind: "row", row: rowOf(name, peer, await timeRounds(timed, rounds)) });
    } else await tell({ kind: "refusal", text: `${name} of ours is not timed: ${ours.refusal}` });
    ours.destroy();
  }
}

const [, , peer = "", rounds = "9", ...works] = process.argv;
try {
  await measure(peer, works, Number(rounds));
} catch (error) {
  const [line] = String(error instanceof Error ? error.message : error).split("\n");
  await tell({ kind: "note", text: `${peer}: ${line}` });
  process.exit(1);
}
// Some packages keep timers and threads for ever.
process.exit(0);

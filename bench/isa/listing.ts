/** A listing of RADV's, as LLVM disassembles it: instructions, and the loops among them. */

export interface Instruction {
  /** Mnemonic; empty for the label of a basic block. */
  readonly op: string;
  readonly rest: string;
  /** Name of the block that begins here. */
  readonly label: string | null;
}

/** A loop from its first instruction to the branch back. */
export interface MachineLoop {
  readonly from: number;
  readonly to: number;
  /** Loops within. */
  readonly children: readonly { readonly from: number; readonly to: number }[];
  /** How many loops are round it. */
  readonly depth: number;
}

export function instructionsOf(text: string): Instruction[] {
  const out: Instruction[] = [];
  for (const line of text.split("\n")) {
    const label = /^(BB\d+):?$/.exec(line.trim())?.[1];
    const again = Number(/\(then repeated (\d+) times\)/.exec(line)?.[1] ?? 0);
    const last = out.at(-1);
    if (label !== undefined) out.push({ op: "", rest: "", label });
    else if (last && again > 0) out.push(...Array.from({ length: again }, () => last));
    else {
      const [, op, rest = ""] = /^\s+((?:[vs]|ds|buffer|global|flat|scratch|exp|image)_\w+)(.*)$/.exec(line) ?? [];
      if (op !== undefined) out.push({ op, rest: (rest.split(";")[0] ?? "").trim(), label: null });
    }
  }
  return out;
}

/** Loops as ranges from a branch's target back to the last branch to it. */
export function machineLoops(list: readonly Instruction[]): MachineLoop[] {
  const at = new Map(list.flatMap(({ label }, i) => (label === null ? [] : [[label, i] as const])));
  const ends = new Map<number, number>();
  for (const [i, { op, rest }] of list.entries()) {
    const target = /^s_c?branch/.test(op) ? at.get(/BB\d+/.exec(rest)?.[0] ?? "") : undefined;
    if (target !== undefined && target <= i) ends.set(target, Math.max(i, ends.get(target) ?? 0));
  }
  const ranges = [...ends].map(([from, to]) => ({ from, to }));
  const within = (a: (typeof ranges)[number], b: (typeof ranges)[number]) =>
    a !== b && a.from >= b.from && a.to <= b.to;
  return ranges.map((range) => ({
    ...range,
    children: ranges.filter((other) => within(other, range)),
    depth: ranges.filter((other) => within(range, other)).length,
  }));
}

/** True where an instruction lies in a loop, apart from loops within. */
export function isOwn({ from, to, children }: MachineLoop, i: number): boolean {
  return i >= from && i <= to && !children.some((child) => i >= child.from && i <= child.to);
}

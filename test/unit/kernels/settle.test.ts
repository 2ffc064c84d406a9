import { expect, test } from "vitest";
import type { PlacedDispatch } from "../../../src/kernels/compile/lower.ts";
import { settle } from "../../../src/kernels/compile/settle.ts";
import type { Access } from "../../../src/kernels/trace/op.ts";

/** A dispatch by the ids it reads, writes and updates: `["read 1", "write 2"]`. Tensor 9 is large. */
function dispatch(label: string, ...uses: readonly string[]): PlacedDispatch {
  const bindings = uses.map((use) => {
    const [access, id] = use.split(" ");
    const shape = [id === "9" ? 2 ** 20 : 4];
    return { access: access as Access, value: { id: Number(id), shape, dtype: "f32" as const } };
  });
  return { label, bindings } as unknown as PlacedDispatch;
}

const STATE = new Set([0, 1]);
const INPUTS = new Set([5]);
const labels = (of: readonly PlacedDispatch[]) => of.map(({ label }) => label).join(" ");

function settled(...dispatches: PlacedDispatch[]) {
  const { once, kept, dispatches: order } = settle(dispatches, STATE, INPUTS);
  return { once: labels(order.slice(0, once)), every: labels(order.slice(once)), kept: [...kept] };
}

test("what is made of state alone comes first, and what runs read of it is kept", () => {
  const scratch = dispatch("scratch", "read 0", "write 2");
  const fold = dispatch("fold", "read 2", "read 1", "write 3");
  const use = dispatch("use", "read 5", "read 3", "write 4");
  expect(settled(use, scratch, fold)).toEqual({ once: "scratch fold", every: "use", kept: [3] });
});

test("a tensor that anything moving writes to moves as a whole, and so does what comes of it", () => {
  const clear = dispatch("clear", "write 2");
  const add = dispatch("add", "read 5", "update 2");
  const after = dispatch("after", "read 2", "read 0", "write 3");
  expect(settled(clear, add, after)).toEqual({ once: "", every: "clear add after", kept: [] });
});

test("large results are made anew by every run", () => {
  const large = dispatch("large", "read 0", "write 9");
  const small = dispatch("small", "read 9", "write 2");
  expect(settled(large, small)).toEqual({ once: "", every: "large small", kept: [] });
});

test("large results whose op wants it are kept, unless what they are made of moves", () => {
  const large = { ...dispatch("large", "read 0", "write 9"), settles: "always" as const };
  const use = dispatch("use", "read 9", "read 5", "write 2");
  expect(settled(large, use)).toEqual({ once: "large", every: "use", kept: [9] });
  const moving = { ...dispatch("moving", "read 5", "write 9"), settles: "always" as const };
  expect(settled(moving, use)).toEqual({ once: "", every: "moving use", kept: [] });
});

test("a run that writes state does everything every time", () => {
  const fold = dispatch("fold", "read 0", "write 3");
  const step = dispatch("step", "read 3", "read 5", "update 1");
  expect(settle([fold], STATE, INPUTS).writes).toBe(false);
  expect(settle([fold, step], STATE, INPUTS).writes).toBe(true);
  expect(settled(fold, step)).toEqual({ once: "", every: "fold step", kept: [] });
});

import { fitsWorkgroupTiles, type Target } from "../target.ts";
import type { Dispatch, LowerCall } from "../trace/op.ts";
import { chunksOf } from "./chunks.ts";
import { elementType, perInvocation, read, shader, type TensorUse, write } from "./shader.ts";

/** What a piece of a kernel reads and declares. */
export interface KernelText {
  readonly tensors: { readonly [name: string]: TensorUse };
  readonly sizes?: { readonly [name: string]: number };
  readonly floats?: { readonly [name: string]: number };
  readonly functions?: string;
}

/**
 * What is made of each column of tensors seen as `[outer, rows, columns]`: some numbers, the members of a `Part`, that two
 * stretches of rows can be joined by. The texts see `args.columns` and T, one column or four of them.
 */
interface ColumnReduction {
  readonly label: string;
  readonly target: Target;
  readonly scratch: LowerCall<string, unknown>["scratch"];
  /** Four columns at a time. */
  readonly wide: boolean;
  readonly outer: number;
  readonly rows: number;
  readonly columns: number;
  readonly members: readonly string[];
  /** Body of `fn join(a: Part, b: Part) -> Part`. */
  readonly join: string;
  /** Body of `fn gather(column: u32, first: u32, step: u32, count: u32) -> Part`: rows first, first + step, .. */
  readonly gather: KernelText & { readonly body: string };
  /** Body of `fn store(column: u32, row: u32, total: Part)`, where `row` counts `outer`. */
  readonly finish: KernelText & { readonly body: string };
}

/**
 * How rows are dealt out: to `chunks` workgroups of `down` shares for each column. Share j takes rows j, j + shares, ..,
 * so that neighbouring lanes read neighbouring memory, and shares are joined in a fixed order.
 */
interface Deal {
  /** Columns (of four) that a workgroup takes side by side; null where no lanes join what they have. */
  readonly across: number | null;
  readonly down: number;
  readonly chunks: number;
}

/** Lanes of a workgroup that joins its parts in its memory, at 48 bytes a lane at most. */
const LANES = 256;
/** Lanes worth having at once on hardware whose loads take a microsecond. */
const USEFUL_LANES = 65536;
/** Rows that a lane walks rather than have a second dispatch join the parts of several workgroups. */
const LONGEST_WALK = 64;
const SHORTEST_WALK = 16;
/** Parts that one invocation joins by itself. */
const MOST_PARTS = 64;

/**
 * One dispatch, or two where the rows are so many that several workgroups share a column: the second joins their parts.
 * Depends on shape and adapter alone, so that results repeat bit for bit.
 */
export function reduceColumns(spec: ColumnReduction): Dispatch[] {
  const { wide, outer, members, target } = spec;
  const units = spec.columns / (wide ? 4 : 1);
  const deal = fitsWorkgroupTiles(target)
    ? dealToWorkgroups(spec.rows, units, spec)
    : { ...ALONE, chunks: chunksOf(spec.rows, units * outer, target, MOST_PARTS).chunks };
  if (deal.chunks === 1) return [walk({ ...spec, units, deal, store: spec.finish })];
  const partials = spec.scratch([outer, deal.chunks, members.length, spec.columns]);
  const store = { tensors: { partials: write(partials, wide) }, body: storeParts(members) };
  const gather = { tensors: { partials: read(partials, wide) }, body: joinParts(members) };
  return [
    walk({ ...spec, units, deal, store }),
    walk({
      ...{ ...spec, label: `${spec.label} fold`, rows: deal.chunks, gather },
      ...{ units, deal: { ...deal, chunks: 1 }, store: spec.finish },
    }),
  ];
}

const ALONE: Deal = { across: null, down: 1, chunks: 1 };

function dealToWorkgroups(rows: number, units: number, { outer, wide }: { outer: number; wide: boolean }): Deal {
  const across = powerBelow(Math.min(units, wide ? 4 : 16));
  const down = LANES / across;
  const wanted = rows <= LONGEST_WALK * down ? 1 : Math.ceil(USEFUL_LANES / (units * outer * down));
  const most = Math.floor(rows / (SHORTEST_WALK * down));
  return { across, down, chunks: Math.max(1, Math.min(wanted, most)) };
}

/** The largest power of two that is not above `limit`. */
const powerBelow = (limit: number): number => 2 ** Math.floor(Math.log2(limit));

const storeParts = (members: readonly string[]): string =>
  members
    .map((member, n) => `  partials_set((row * ${members.length}u + ${n}u) * args.columns + column, total.${member});`)
    .join("\n");

const joinParts = (members: readonly string[]): string => `  var total = part(column, first);
  for (var turn = 1u; turn < count; turn++) { total = join(total, part(column, first + turn * step)); }
  return total;
}
fn part(column: u32, row: u32) -> Part {
  return Part(${members.map((_, n) => `partials_at((row * ${members.length}u + ${n}u) * args.columns + column)`).join(", ")});`;

/** One round: every share walks its rows, and what a workgroup's shares found is joined. */
function walk(
  spec: Omit<ColumnReduction, "finish" | "columns"> & {
    readonly units: number;
    readonly deal: Deal;
    readonly store: KernelText & { readonly body: string };
  },
): Dispatch {
  const { label, target, wide, outer, rows, units, members, deal, gather, store } = spec;
  const shares = deal.down * deal.chunks;
  const shared = {
    label,
    target,
    tensors: { ...store.tensors, ...gather.tensors },
    floats: { ...gather.floats, ...store.floats },
    sizes: {
      ...{ columns: units, rows, shares, base: Math.floor(rows / shares), rest: rows % shares },
      ...gather.sizes,
      ...store.sizes,
    },
  };
  const functions = `struct Part { ${members.map((member) => `${member}: T`).join(", ")} }
${[...new Set([gather.functions ?? "", store.functions ?? ""])].join("\n")}
fn join(a: Part, b: Part) -> Part {
${spec.join}
}
fn gather(column: u32, first: u32, step: u32, count: u32) -> Part {
${gather.body}
}
fn walked(column: u32, share: u32, outer: u32) -> Part {
  let count = args.base + select(0u, 1u, share < args.rest);
  return gather(column, outer * args.rows + share, args.shares, count);
}
fn store(column: u32, row: u32, total: Part) {
${store.body}
}`;
  if (deal.across === null) {
    return perInvocation({
      ...shared,
      count: outer * shares * units,
      type: elementType(wide),
      functions,
      body: `  let column = i % args.columns;
  let row = i / args.columns;
  store(column, row, walked(column, row % args.shares, row / args.shares));`,
    });
  }
  return shader({
    ...shared,
    sizes: { ...shared.sizes, across: deal.across, down: deal.down },
    workgroupSize: [LANES],
    workgroups: [Math.ceil(units / deal.across), deal.chunks, outer],
    functions: `alias T = ${elementType(wide)};
${functions}
var<workgroup> parts: array<Part, ${LANES}>;`,
    // A share behind the last row has nothing to join.
    main: `  let column = group.x * args.across + lane % args.across;
  let outer = group.z;
  let share = group.y * args.down + lane / args.across;
  var total: Part;
  if (column < args.columns && share < args.rows) { total = walked(column, share, outer); }
  parts[lane] = total;
  for (var half = args.down / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half * args.across && share + half < args.rows) {
      total = join(total, parts[lane + half * args.across]);
      parts[lane] = total;
    }
  }
  if (lane < args.across && column < args.columns) { store(column, outer * groups.y + group.y, total); }`,
  });
}

import { range } from "../../range.ts";

/**
 * How a workgroup computes one tile of a matrix product on a GPU. Its lanes bring both operands to panels in workgroup
 * memory, `depth` summed positions a turn, `panelA[position][row]` and `panelB[position][column]`, and each lane adds
 * `share` x `share` products a position in registers.
 */
export interface Form {
  /** Lanes along either edge of the tile: a workgroup has `across` x `across`. */
  readonly across: number;
  /** Rows, and columns, of the tile that a lane owns; a multiple of four. */
  readonly share: number;
  /** Summed positions a turn; a multiple of four. */
  readonly depth: number;
  /** Unused floats at a panel line's end, which keep a column that is stored lane by lane off the same memory banks. */
  readonly pad: number;
  readonly schedule: Schedule;
}

/**
 * When a turn's operands are read from memory:
 *
 *   plain    before they are stored: the reads' whole latency is waited for. The shortest text.
 *   ahead    before the turn before is computed, which hides the latency. Two barriers a turn.
 *   double   as ahead, with two pairs of panels by turns: one barrier a turn, twice the memory.
 *
 * All three add in the same order.
 */
type Schedule = "plain" | "ahead" | "double";

/** Summed positions a turn of the forms in use. */
export const TILE_DEPTH = 8;

/** 128 x 128 by 256 lanes: the least traffic a product. Exactly the 16384 bytes that every adapter has when double. */
export const LARGE: Form = { across: 16, share: 8, depth: TILE_DEPTH, pad: 0, schedule: "double" };

/** 64 x 64 by 64 lanes: four times the workgroups, for small outputs. */
export const SMALL: Form = { across: 8, share: 8, depth: TILE_DEPTH, pad: 4, schedule: "ahead" };

/** What follows from a form. */
export function tileOf({ across, share, depth, pad }: Form) {
  const side = across * share;
  const lanes = across * across;
  return {
    lanes,
    /** Rows, and columns, of the tile. */
    side,
    /** The same in units of four. */
    sideQuads: side / 4,
    depthQuads: depth / 4,
    /** Floats from one position of a panel to the next. */
    stride: side + pad,
    /** vec4f that a lane reads of either operand in a turn. */
    loads: (side * depth) / 4 / lanes,
  };
}

/**
 * What a kernel puts into the frame of {@link tileMain}. Its text sees `lane`, `tx`, `ty` (the lane's place in the tile)
 * and the vec4f variables `a0`, `a1`, .. and `b0`, .., one for each of the form's loads.
 */
interface TileText {
  /** Declares `var turn` and `let end`, the turns to be done, and the lane's position in the operands. */
  readonly setup: string;
  /** Moves the position to the next turn, `turn` included. From `end` on what is put into panel A has to be zero. */
  readonly advance: string;
  /** Reads the position's operands into `a0`, .. and `b0`, ... Nothing may depend on them, or the wait comes here. */
  readonly fetch: string;
  /** Stores what was fetched at the position into the panels of these names, as zero where it does not count. */
  put(panelA: string, panelB: string): string;
  /** Takes the sums from the registers `c{row}_{quad}`: see {@link ownedRow} and {@link ownedQuad}. */
  readonly tail: string;
}

/** Names of a form's panels. */
export const panelsOf = ({ schedule }: Form): readonly string[] =>
  (schedule === "double" ? ["A0", "B0", "A1", "B1"] : ["A0", "B0"]).map((name) => `panel${name}`);

/** Declarations of a form's panels. */
export function tileMemory(form: Form): string {
  const floats = form.depth * tileOf(form).stride;
  return panelsOf(form)
    .map((panel) => `var<workgroup> ${panel}: array<f32, ${floats}>;`)
    .join("\n");
}

/** The body of a tile's kernel. */
export function tileMain(form: Form, text: TileText): string {
  const { loads } = tileOf(form);
  return `${text.setup}
${range(loads)
  .map((j) => `  var a${j} = vec4f(0.0); var b${j} = vec4f(0.0);`)
  .join("\n")}
${ownedSums(form)
  .map((sum) => `  var ${sum} = vec4f(0.0);`)
  .join("\n")}
${turns(form, text)}
${text.tail}`;
}

function turns(form: Form, { advance, fetch, put }: TileText): string {
  const barrier = "    workgroupBarrier();";
  const product = (which: number) => tileProduct(form, `panelA${which}`, `panelB${which}`);
  const store = (which: number) => put(`panelA${which}`, `panelB${which}`);
  const ahead = (which: number) => [store(which), barrier, advance, fetch, product(which)];
  const body = {
    plain: [fetch, barrier, store(0), barrier, product(0), advance],
    ahead: [barrier, ...ahead(0)],
    // The second turn is done even where only one is left: past a jump between them compilers would hold back its reads.
    // Two named pairs, since an offset that changes would be held against the array's bounds at every access.
    double: [...ahead(0), ...ahead(1)],
  }[form.schedule];
  const loop = ["  while (turn < end) {", ...body, "  }"];
  return (form.schedule === "plain" ? loop : [fetch, ...loop]).join("\n");
}

/** Names of a lane's registers, each a vec4f of one row. */
export function ownedSums({ share }: Form): string[] {
  return range(share).flatMap((i) => range(share / 4).map((q) => `c${i}_${q}`));
}

/** Row i of a lane's own, counted within the tile. */
export const ownedRow = ({ share }: Form, i: number): string => `ty * ${share}u + ${i}u`;

/**
 * Quad q of a lane's columns, in units of four within the tile. Neighbouring lanes own neighbouring quads, so that their
 * wide reads of panel B meet different banks.
 */
export const ownedQuad = ({ across }: Form, q: number): string => `${across * q}u + tx`;

/** The product of two panels, added to the lane's registers. */
function tileProduct(form: Form, panelA: string, panelB: string): string {
  const { share, depth } = form;
  const { stride } = tileOf(form);
  const rows = range(share);
  const quads = range(share / 4);
  const column = (q: number) =>
    range(4)
      .map((j) => `${panelB}[kk * ${stride}u + 4u * (${ownedQuad(form, q)}) + ${j}u]`)
      .join(", ");
  return `    for (var kk = 0u; kk < ${depth}u; kk++) {
${rows.map((i) => `      let left${i} = ${panelA}[kk * ${stride}u + ${ownedRow(form, i)}];`).join("\n")}
${quads.map((q) => `      let right${q} = vec4f(${column(q)});`).join("\n")}
${rows.flatMap((i) => quads.map((q) => `      c${i}_${q} = fma(vec4f(left${i}), right${q}, c${i}_${q});`)).join("\n")}
    }`;
}

const AXES = ["x", "y", "z", "w"] as const;

/** Where {@link putAcross} begins for a row and the quad `quad` of summed positions: to be taken out of the loop. */
export const acrossAt = (form: Form, row: string, quad: string): string =>
  `${4 * tileOf(form).stride}u * ${quad} + ${row}`;

/** Puts a vec4f of one row along the summed positions into a panel, from a place on. */
export function putAcross(form: Form, panel: string, value: string, at: string): string {
  const { stride } = tileOf(form);
  return AXES.map((a, j) => `    ${panel}[${at} + ${j * stride}u] = ${value}.${a};`).join("\n");
}

/** Puts a vec4f of four neighbouring rows (or columns) at one position into a panel. */
export function putAlong(form: Form, panel: string, value: string, position: string, quad: string): string {
  const { stride } = tileOf(form);
  return AXES.map((a, j) => `    ${panel}[${position} * ${stride}u + 4u * ${quad} + ${j}u] = ${value}.${a};`).join(
    "\n",
  );
}

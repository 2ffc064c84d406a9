import { range } from "../../range.ts";
import { type Form, panelsOf, tileOf } from "./tile.ts";

/**
 * What a tile tells of its columns while it still holds them in registers: `partials [tiles, 3, columns]` of its first row,
 * the mean relative to that, and the sum of squared deviations from the mean. Rows past the end do not count.
 *
 * A lane reduces its own rows first, relative to the first of them: differences of neighbours are exact where their mean is
 * large. What lanes above one another have goes through the panels, which the product no longer needs, a quad of each
 * lane's columns a turn; one lane a column then joins it, in the order of the rows.
 */
export const TILE_MEMBERS = ["origin", "mean", "squares"] as const;

/** Where a member lies in workgroup memory: `across` parts of a quad of each lane's columns. */
interface Place {
  readonly array: string;
  readonly from: number;
}

/** Floats of one member: a quad of columns for every lane. */
const floatsOf = ({ across }: Form): number => 4 * across * across;

function placesOf(form: Form): readonly Place[] {
  const floats = floatsOf(form);
  const inEach = range(Math.floor((form.depth * tileOf(form).stride) / floats));
  return panelsOf(form).flatMap((array) => inEach.map((i) => ({ array, from: i * floats })));
}

/** Whether a form's panels have room for what its lanes tell: large ones, where they are double. */
export const tellsStatistics = (form: Form): boolean => placesOf(form).length >= TILE_MEMBERS.length;

/**
 * The end of a tile's kernel, behind its stores: the registers hold what was stored, zero outside. Sees `lane`, `tx`, `ty`,
 * and the tile's row and column of tiles, `tm` and `tn`.
 */
export function statisticsTail(form: Form): string {
  const { across, share } = form;
  const { side } = tileOf(form);
  const quads = range(share / 4);
  const places = placesOf(form);
  const at = (member: number, place: string) => `${places[member]?.array}[${places[member]?.from}u + ${place}]`;
  const chosen = (i: number) => quads.slice(1).reduce((so, q) => `select(${so}, c${i}_${q}, q == ${q}u)`, `c${i}_0`);
  const put = TILE_MEMBERS.flatMap((name, member) =>
    ["x", "y", "z", "w"].map((axis, j) => `    ${at(member, `place + ${j}u`)} = ${name}.${axis};`),
  );
  const counts = range(share).map((i) => `owned > ${i}u`);
  return `  let left = min(${side}u, args.rows - tm * ${side}u);
  let owned = min(${share}u, left - min(left, ty * ${share}u));
  let place = ty * ${4 * across}u + 4u * tx;
  for (var q = 0u; q < ${quads.length}u; q++) {
    let origin = ${chosen(0)};
${range(share)
  .slice(1)
  .map((i) => `    let d${i} = select(vec4f(0.0), ${chosen(i)} - origin, ${counts[i]});`)
  .join("\n")}
    let mean = (${pairwise(range(share).map((i) => (i === 0 ? "vec4f(0.0)" : `d${i}`)))}) / f32(max(owned, 1u));
${range(share)
  .slice(1)
  .map((i) => `    let e${i} = select(vec4f(0.0), d${i} - mean, ${counts[i]});`)
  .join("\n")}
    let squares = ${pairwise(range(share).map((i) => (i === 0 ? "mean * mean" : `e${i} * e${i}`)))};
    workgroupBarrier();
${put.join("\n")}
    workgroupBarrier();
    let column = (tn * ${quads.length}u + q) * ${4 * across}u + lane;
    if (lane < ${4 * across}u && column < args.columns) { join_column(lane, column, tm, left); }
  }`;
}

/** The function that joins the parts of a column, for {@link statisticsTail}. */
export function statisticsFunctions(form: Form): string {
  const { across, share } = form;
  const places = placesOf(form);
  const part = (member: number) => `${places[member]?.array}[${places[member]?.from}u + i * ${4 * across}u + lane]`;
  return `fn rows_of(i: u32, left: u32) -> f32 { return f32(min(${share}u, left - min(left, i * ${share}u))); }
fn join_column(lane: u32, column: u32, tile: u32, left: u32) {
  let origin = ${places[0]?.array}[${places[0]?.from}u + lane];
  var sum = 0.0;
  for (var i = 0u; i < ${across}u; i++) {
    sum += rows_of(i, left) * ((${part(0)} - origin) + ${part(1)});
  }
  let mean = sum / f32(left);
  var squares = 0.0;
  for (var i = 0u; i < ${across}u; i++) {
    let apart = ((${part(0)} - origin) + ${part(1)}) - mean;
    squares += ${part(2)} + rows_of(i, left) * apart * apart;
  }
  let at = 3u * tile * args.columns + column;
  partials_set(at, origin);
  partials_set(at + args.columns, mean);
  partials_set(at + 2u * args.columns, squares);
}`;
}

/** A sum of terms as a tree: rounding grows with its depth. */
function pairwise(terms: readonly string[]): string {
  if (terms.length < 2) return terms.join("");
  const half = Math.ceil(terms.length / 2);
  return `(${pairwise(terms.slice(0, half))} + ${pairwise(terms.slice(half))})`;
}

import { range } from "../../range.ts";
import { fitsWorkgroupTiles, prefersShuffleTiles, type Target } from "../../target.ts";
import type { Dispatch } from "../../trace/op.ts";
import type { Shape } from "../../trace/shape.ts";
import { chooseTile, type TileChoice } from "./choose-tile.ts";
import { type Contraction, extents, flattened, type Lowering, type Prologue } from "./contraction.ts";
import { finishPair, type PairPlan, pairExtents, planPair, WHICH_PAIR } from "./pair.ts";
import { prologueText } from "./prologue.ts";
import { type Form, ownedQuad, ownedRow, putAlong, TILE_DEPTH, tileMain, tileMemory, tileOf } from "./tile.ts";

/** The weight gradient for GPUs, by tiles in workgroup memory; pixels are the depth. */
export const tiledPair: Lowering = (given) => {
  const contraction = flattened(given);
  const { rows, columns, turns } = pairExtents(contraction, TILE_DEPTH);
  const { k, inC } = extents(contraction);
  const product = { rows, columns, phases: 1, turns, wide: k % 4 === 0 && inC % 4 === 0 };
  return tiledPairBy(contraction, chooseTile(product, contraction.target));
};

/** Whether a weight's gradient takes a prologue and sums y: by tiles, with operands read four numbers at a time. */
export function takesPairExtras(target: Target, groups: number, [k = 1, , , c = 1]: Shape): boolean {
  const wide = k % 4 === 0 && c % 4 === 0;
  return groups === 1 && wide && fitsWorkgroupTiles(target) && !prefersShuffleTiles(target);
}

/** As {@link tiledPair}, of a flattened contraction, with a form and a number of splits of the caller's choice. */
export function tiledPairBy(contraction: Contraction, { form, splits }: TileChoice): Dispatch[] {
  const { side, lanes } = tileOf(form);
  const plan = planPair(contraction, { rows: side, columns: side, pixels: form.depth }, splits);
  return finishPair(plan, `pair ${side}x${side} tile`, {
    workgroup: lanes,
    enable: [],
    main: pairMain(form, plan),
    functions: [tileMemory(form), ...(isMade(contraction.prologue) ? [prologueText(contraction.prologue)] : [])].join(
      "\n",
    ),
  });
}

function pairMain(form: Form, plan: PairPlan): string {
  const { lanes, side, sideQuads, loads } = tileOf(form);
  const each = (text: (j: number) => string) => range(loads).map(text).join("\n");
  const { prologue, sums } = plan.contraction;
  const [a, b] = plan.yWide && plan.xWide ? [WIDE_Y, wideX(prologue)] : [NARROW_Y, NARROW_X];
  // A turn's pixels lie in one image row, so that its place is the same for all lanes and no index is divided.
  const setup = `${WHICH_PAIR}
  let tx = lane % ${form.across}u; let ty = lane / ${form.across}u;
  let quad = lane % ${sideQuads}u; let rowQuad = tm * ${sideQuads}u + quad;
  let columns = columns_at(tn * ${sideQuads}u + quad);
${isMade(prologue) ? "  let norm = norm_at(columns.c);\n" : ""}${sums ? "  var total = vec4f(0.0);\n" : ""}${each((j) => `  let deep${j} = lane / ${sideQuads}u + ${(j * lanes) / sideQuads}u;\n${a.setup(j)}\n${b.setup(j)}`)}
  var turn = min(split * args.stretch, args.turns); let end = min(turn + args.stretch, args.turns);
  var line = turn / args.turnsPerRow; var first = ${form.depth}u * (turn - line * args.turnsPerRow);
  var n = line / args.oh; var oy = line - n * args.oh;`;
  const advance = `    turn += 1u; first += ${form.depth}u;
    if (first >= args.ow) { first = 0u; oy += 1u; line += 1u; if (oy == args.oh) { oy = 0u; n += 1u; } }
    // Past the end there is no pixel.
    first = select(first, args.ow, turn >= end);`;
  const put = (panelA: string, panelB: string) =>
    each(
      (
        j,
      ) => `    let ${panelA}_${j} = ${a.kept(j)}; let ${panelB}_${j} = ${b.kept(j)};${sums ? ` total += ${panelA}_${j};` : ""}
${putAlong(form, panelA, `${panelA}_${j}`, `deep${j}`, "quad")}
${putAlong(form, panelB, `${panelB}_${j}`, `deep${j}`, "quad")}`,
    );
  const tail = range(form.share)
    .flatMap((i) =>
      range(form.share / 4).map(
        (q) =>
          `  store4(split, tm * ${side}u + ${ownedRow(form, i)}, tn * ${sideQuads}u + ${ownedQuad(form, q)}, c${i}_${q});`,
      ),
    )
    .join("\n");
  const ending = sums ? `${tail}\n${sumLanes(form)}` : tail;
  return tileMain(form, { setup, advance, fetch: each((j) => `${a.fetch(j)}\n${b.fetch(j)}`), put, tail: ending });
}

/** Whether there is anything to be made of x. */
const isMade = (prologue: Prologue | undefined): prologue is Prologue => !!(prologue?.norm || prologue?.activation);

/** Adds what the lanes of one quad of y's channels have summed, in their order; the first column of tiles stores it. */
function sumLanes(form: Form): string {
  const { lanes, sideQuads } = tileOf(form);
  const four = (from: string) =>
    `vec4f(${range(4)
      .map((j) => `panelA0[${from} + ${j}u]`)
      .join(", ")})`;
  return `  workgroupBarrier();
${range(4)
  .map((j) => `  panelA0[4u * lane + ${j}u] = total[${j}];`)
  .join("\n")}
  workgroupBarrier();
  if (tn == 0u && lane < ${sideQuads}u && rowQuad < args.rows / 4u) {
    var sum = ${four("4u * lane")};
    for (var share = 1u; share < ${lanes / sideQuads}u; share++) { sum += ${four(`4u * (share * ${sideQuads}u + lane)`)}; }
    store_sum(split, rowQuad, sum);
  }`;
}

/** How one of a lane's loads of an operand is prepared, fetched, and what is kept of it once it is there. */
interface Operand {
  setup(j: number): string;
  fetch(j: number): string;
  kept(j: number): string;
}

/** Four rows, of y, at one pixel. */
const WIDE_Y: Operand = {
  setup: (j) => `  let y${j} = deep${j} * (args.rows / 4u) + rowQuad; var goodA${j} = false;`,
  fetch: (j) => `    goodA${j} = (first + deep${j} < args.ow) & (rowQuad < args.rows / 4u);
    a${j} = y_at(select(0u, (line * args.ow + first) * (args.rows / 4u) + y${j}, goodA${j}));`,
  kept: (j) => `select(vec4f(0.0), a${j}, goodA${j})`,
};

const NARROW_Y: Operand = {
  setup: () => "",
  fetch: (j) => `    a${j} = y4(line * args.ow + first + deep${j}, rowQuad, first + deep${j} < args.ow);`,
  kept: (j) => `a${j}`,
};

/**
 * Four columns, of x, at the pixel that their tap meets. What the lane adds to the turn's place never changes, so it is
 * taken out of the loop; before the image's first row or column the sums wrap round, past its last.
 */
const wideX = (prologue: Prologue | undefined): Operand => ({
  setup: (j) => `  let tapY${j} = columns.tap.x * args.dilation - args.paddingY;
  let tapX${j} = columns.tap.y * args.dilation - args.paddingX + deep${j} * args.strideX;
  let x${j} = (tapY${j} * args.w + tapX${j}) * (args.channels / 4u) + columns.c; var goodB${j} = false;`,
  fetch: (j) => `    goodB${j} = (oy * args.strideY + tapY${j} < args.h) & (first * args.strideX + tapX${j} < args.w)
      & (first + deep${j} < args.ow) & columns.ok;
    b${j} = x_at(select(0u, ((n * args.h + oy * args.strideY) * args.w + first * args.strideX) * (args.channels / 4u) + x${j}, goodB${j}));`,
  kept: (j) => `select(vec4f(0.0), ${isMade(prologue) ? `made(b${j}, norm)` : `b${j}`}, goodB${j})`,
});

const NARROW_X: Operand = {
  setup: () => "",
  fetch: (j) => `    b${j} = x4(n, oy, first + deep${j}, columns);`,
  kept: (j) => `b${j}`,
};

import { boxOf, type FoundObject } from "./found-object.ts";

export type Point = readonly [x: number, y: number];

/** Corners of a closed line, each once: the last is joined to the first. */
export type Ring = readonly Point[];

/** Pixels that share sides with each other: the line round them, and one round each hole. */
export interface Outline {
  /** Goes right, then down: the pixels lie to its right on the screen. */
  readonly shell: Ring;
  /** Go the other way round. */
  readonly holes: readonly Ring[];
}

/** Steps along edges in the order of right turns: right, down, left, up. */
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;
/** From a corner, where the pixel to the right of the edge that goes on by a step lies. */
const RIGHT_HAND = [
  [0, 0],
  [-1, 0],
  [-1, -1],
  [0, -1],
] as const;

/** The object's pixels with a margin of one all round; each holds the number of its piece from 1 on, 0 is outside. */
interface Pieces {
  readonly cells: Uint32Array;
  readonly width: number;
  readonly count: number;
}

/**
 * The outlines of an object in a mask of `width` columns, in the order of their first pixels from top to bottom. They go along
 * pixel edges: column and row numbers of pixels' corners, the picture's upper left corner being 0, 0. Filled by the even-odd
 * rule they give back the pixels exactly. An object whose pixels touch only by corners comes as several pieces, so that every
 * ring is simple and every polygon valid (OGC Simple Features): rings meet in single points at most.
 */
export function outlinesOf(object: FoundObject, width: number): Outline[] {
  const box = boxOf(object, width);
  const pieces = piecesOf(object, width);
  const rings: Point[][][] = Array.from({ length: pieces.count }, () => []);
  const edges = edgesOf(pieces);
  for (let start = 0; start < edges.length; start++) {
    while (edges[start] !== 0) {
      const { corners, piece } = follow(edges, pieces, start);
      rings[piece - 1]?.push(corners.map(([x, y]) => [x + box.left - 1, y + box.top - 1]));
    }
  }
  // The first corner of a piece, from top to bottom, lies on its outer line.
  return rings.map(([shell = [], ...holes]) => ({ shell, holes }));
}

/** Numbers the pieces whose pixels share sides. */
function piecesOf(object: FoundObject, imageWidth: number): Pieces {
  const box = boxOf(object, imageWidth);
  const width = box.right - box.left + 2;
  const cells = new Uint32Array(width * (box.bottom - box.top + 2));
  const places = Array.from(object.pixels, (at) => {
    const row = Math.floor(at / imageWidth);
    return (row - box.top + 1) * width + (at - row * imageWidth - box.left + 1);
  }).sort((a, b) => a - b);
  const UNSEEN = 0xffffffff;
  for (const place of places) cells[place] = UNSEEN;
  let count = 0;
  for (const place of places) {
    if (cells[place] !== UNSEEN) continue;
    count++;
    cells[place] = count;
    const open = [place];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const next of [at - 1, at + 1, at - width, at + width]) {
        if (cells[next] !== UNSEEN) continue;
        cells[next] = count;
        open.push(next);
      }
    }
  }
  return { cells, width, count };
}

/** At each pixel's upper left corner a bit for each step by which an edge leaves it with a pixel to its right. */
function edgesOf({ cells, width }: Pieces): Uint8Array {
  const edges = new Uint8Array(cells.length);
  const leave = (corner: number, step: number) => {
    edges[corner] = (edges[corner] ?? 0) | (1 << step);
  };
  for (let at = 0; at < cells.length; at++) {
    if (cells[at] === 0) continue;
    if (cells[at - width] === 0) leave(at, 0);
    if (cells[at + 1] === 0) leave(at + 1, 1);
    if (cells[at + width] === 0) leave(at + width + 1, 2);
    if (cells[at - 1] === 0) leave(at + width, 3);
  }
  return edges;
}

/** The place one step on from another. */
const along = (at: number, [x, y]: readonly [number, number] = [0, 0], width: number) => at + y * width + x;

/**
 * Takes one ring's edges away, from its uppermost, leftmost corner on. Where two pixels touch by a corner it goes on along
 * the other one if both are of one piece (they are joined elsewhere, so what lies between is a hole), else it stays with
 * its own.
 */
function follow(edges: Uint8Array, { cells, width }: Pieces, start: number): { corners: Point[]; piece: number } {
  const pieceAt = (at: number, step: number) => cells[along(at, RIGHT_HAND[step], width)] ?? 0;
  const leaves = (at: number, step: number) => ((edges[at] ?? 0) & (1 << step)) !== 0;
  let step = [0, 1, 2, 3].findIndex((way) => leaves(start, way));
  const piece = pieceAt(start, step);
  const corners: Point[] = [];
  for (let at = start; ; ) {
    corners.push([at % width, Math.floor(at / width)]);
    let turn = step;
    while (turn === step) {
      edges[at] = (edges[at] ?? 0) & ~(1 << step);
      at = along(at, STEPS[step], width);
      if (at === start) return { corners, piece };
      const ways = [(step + 3) % 4, step, (step + 1) % 4]; // left, straight on, right
      turn = ways.find((way) => leaves(at, way) && pieceAt(at, way) === piece) ?? -1;
    }
    if (turn < 0) throw new Error(`an outline does not close at ${at % width}, ${Math.floor(at / width)}`);
    step = turn;
  }
}

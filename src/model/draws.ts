import { ShapeError } from "../errors.ts";
import { type Random, random } from "../kernels/random.ts";
import { type Shape, sizeOf } from "../kernels/trace/shape.ts";
import { drawInput } from "./keys.ts";

/** Pixel weights of a squeeze: 1/count inside one pooled cell of the (shuffled) map, 0 outside. Input `[1, h*w]`. */
interface SubsetDraw {
  readonly kind: "subset";
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly sizes: readonly number[];
  readonly shuffle: boolean;
}

/** Which of several maps owns each grid cell. One input `[1, cells]` a map: 1/cells where it owns the cell, else 0. */
interface OwnersDraw {
  readonly kind: "owners";
  readonly name: string;
  readonly cells: number;
  readonly maps: number;
  /** Name of the region parameter that is shuffled. */
  readonly regions: string;
}

/** Kept entries of a dropout, already divided by the keep probability. */
interface KeepDraw {
  readonly kind: "keep";
  readonly name: string;
  readonly shape: Shape;
  readonly drop: number;
}

/** A whole number below 2^24 that a dropout on the GPU starts from. Input `[1]`. */
interface SeedDraw {
  readonly kind: "seed";
  readonly name: string;
}

export type Draw = SubsetDraw | OwnersDraw | KeepDraw | SeedDraw;

/** Region maps by parameter name. */
export type Regions = ReadonlyMap<string, Int32Array>;

interface RecordedTensor {
  readonly data: Float32Array | Int32Array;
  readonly shape: Shape;
}

/** Names of the trace inputs that a draw fills, with their shapes. */
export function drawInputs(draw: Draw): readonly (readonly [name: string, shape: Shape])[] {
  const name = drawInput(draw.name);
  if (draw.kind === "subset") return [[name, [1, draw.height * draw.width]]];
  if (draw.kind === "keep") return [[name, draw.shape]];
  if (draw.kind === "seed") return [[name, [1]]];
  return Array.from({ length: draw.maps }, (_, i) => [drawInput(draw.name, i), [1, draw.cells]] as const);
}

/** The random choices of one trace in training mode: small inputs that the host fills before each step. */
export class DrawTable {
  readonly #draws = new Map<string, Draw>();

  declare(draw: Draw): void {
    const known = this.#draws.get(draw.name);
    if (known && JSON.stringify(known) !== JSON.stringify(draw)) {
      throw new ShapeError(`draw ${draw.name} is ${JSON.stringify(known)} and cannot also be ${JSON.stringify(draw)}`);
    }
    this.#draws.set(draw.name, draw);
  }

  list(): readonly Draw[] {
    return [...this.#draws.values()];
  }

  /** The inputs of training step `step`: a function of seed, step and the draws' names alone. */
  sample(seed: number, step: number, regions: Regions): Map<string, Float32Array> {
    return merged(this.list().map((draw) => sampleOne(draw, random(seed, `draw:${draw.name}`, step), regions)));
  }

  /**
   * The inputs that repeat recorded choices: `<name>.size`, `.perm`, `.cell` of a subset, `.perm`, `.order` of owners and
   * `<name>` of a dropout. `consumed` lists the recorded names that were used.
   */
  fromRecorded(recorded: ReadonlyMap<string, RecordedTensor>, regions: Regions) {
    const consumed: string[] = [];
    const take = (name: string): Float32Array | Int32Array => {
      const tensor = recorded.get(name);
      if (!tensor) throw new ShapeError(`there is no recorded draw named ${name}`);
      consumed.push(name);
      return tensor.data;
    };
    return { inputs: merged(this.list().map((draw) => replayOne(draw, take, regions))), consumed };
  }
}

type Inputs = ReadonlyMap<string, Float32Array>;

function merged(maps: readonly Inputs[]): Map<string, Float32Array> {
  return new Map(maps.flatMap((map) => [...map]));
}

function sampleOne(draw: Draw, walk: Random, regions: Regions): Inputs {
  if (draw.kind === "keep") {
    const kept = 1 / (1 - draw.drop);
    const values = Float32Array.from({ length: sizeOf(draw.shape) }, () => (walk.uniform() < draw.drop ? 0 : kept));
    return new Map([[drawInput(draw.name), values]]);
  }
  if (draw.kind === "seed") return new Map([[drawInput(draw.name), Float32Array.of(walk.integer(2 ** 24))]]);
  if (draw.kind === "subset") {
    const size = draw.sizes[walk.integer(draw.sizes.length)] ?? 1;
    const cell = walk.integer(size * size);
    const order = size > 1 && draw.shuffle ? walk.permutation(draw.height * draw.width) : null;
    return subsetWeights(draw, size, cell, order);
  }
  return ownerWeights(draw, walk.permutation(draw.cells), walk.permutation(draw.maps), regions);
}

function replayOne(draw: Draw, take: (name: string) => Float32Array | Int32Array, regions: Regions): Inputs {
  if (draw.kind === "keep" || draw.kind === "seed") {
    return new Map([[drawInput(draw.name), Float32Array.from(take(draw.name))]]);
  }
  if (draw.kind === "owners") {
    return ownerWeights(draw, take(`${draw.name}.perm`), take(`${draw.name}.order`), regions);
  }
  const size = take(`${draw.name}.size`)[0] ?? 1;
  const order = draw.shuffle ? take(`${draw.name}.perm`) : null;
  const cell = size > 1 ? (take(`${draw.name}.cell`)[0] ?? 0) : 0;
  return subsetWeights(draw, size, cell, order);
}

/** Rows or columns of bin `i` of an adaptive pooling of `extent` into `bins`; bins may overlap. */
function bin(i: number, bins: number, extent: number): readonly [from: number, to: number] {
  return [Math.floor((i * extent) / bins), Math.ceil(((i + 1) * extent) / bins)];
}

function subsetWeights(draw: SubsetDraw, size: number, cell: number, order: ArrayLike<number> | null): Inputs {
  const { height, width, name } = draw;
  const [top, bottom] = bin(Math.floor(cell / size), size, height);
  const [left, right] = bin(cell % size, size, width);
  const weight = 1 / ((bottom - top) * (right - left));
  const weights = new Float32Array(height * width);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = y * width + x;
      weights[order ? (order[at] ?? at) : at] = weight;
    }
  }
  return new Map([[drawInput(name), weights]]);
}

function ownerWeights(draw: OwnersDraw, order: ArrayLike<number>, owner: ArrayLike<number>, regions: Regions): Inputs {
  const map = regions.get(draw.regions);
  if (map?.length !== draw.cells) {
    throw new ShapeError(`${draw.regions} has ${map?.length ?? "no"} cells and the network needs ${draw.cells}`);
  }
  return new Map(
    drawInputs(draw).map(([input], i) => {
      const mine = (_: unknown, j: number) => (map[order[j] ?? 0] === owner[i] ? 1 / draw.cells : 0);
      return [input, Float32Array.from({ length: draw.cells }, mine)];
    }),
  );
}

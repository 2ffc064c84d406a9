import { range } from "../../range.ts";

type Matrix = readonly (readonly number[])[];

/**
 * Winograd's minimal filtering F(m x m, 3 x 3): an output tile `y = A' [(G w G') * (B' d B)] A` of a 3x3 weight `w` and the
 * input patch `d` of (m + 2) x (m + 2) pixels, where `*` multiplies number by number.
 */
export interface WinogradForm {
  readonly name: string;
  /** Side m of an output tile. */
  readonly tile: number;
  /** Side m + 2 of an input patch; its square is how many products replace the 9 m m of the definition. */
  readonly patch: number;
  /** B', [patch, patch]. */
  readonly input: Matrix;
  /** G, [patch, 3]. */
  readonly weight: Matrix;
  /** A', [tile, patch]. */
  readonly output: Matrix;
}

export const F2: WinogradForm = {
  name: "F(2x2, 3x3)",
  tile: 2,
  patch: 4,
  input: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  weight: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  output: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
};

export const F4: WinogradForm = {
  name: "F(4x4, 3x3)",
  tile: 4,
  patch: 6,
  input: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  weight: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
  output: [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
  ],
};

/**
 * WGSL of `matrix d matrix'`: reads a square of values by the expressions `from(row, column)`, each once, and declares
 * `u0_0`, `u0_1`, .. of the result. Zeros cost nothing, ones no product.
 */
export function sandwich(matrix: Matrix, from: (row: number, column: number) => string): string {
  const size = matrix[0]?.length ?? 0;
  const lines: string[] = [];
  for (const j of range(size)) {
    lines.push(...range(size).map((i) => `  let d${i}_${j} = ${from(i, j)};`));
    const column = range(size).map((i) => `d${i}_${j}`);
    lines.push(...matrix.map((row, i) => `  let t${i}_${j} = ${combination(row, column)};`));
  }
  for (const i of range(matrix.length)) {
    const line = range(size).map((j) => `t${i}_${j}`);
    lines.push(...matrix.map((row, j) => `  let u${i}_${j} = ${combination(row, line)};`));
  }
  return lines.join("\n");
}

/** The sum of `terms`, each times its factor, as WGSL. */
function combination(factors: readonly number[], terms: readonly string[]): string {
  const used = factors.flatMap((factor, i) => (factor === 0 ? [] : [{ factor, term: terms[i] ?? "" }]));
  return used
    .map(({ factor, term }, i) => {
      const size = Math.abs(factor);
      const sign = factor < 0 ? "-" : i > 0 ? "+" : "";
      return `${sign}${i > 0 ? " " : ""}${size === 1 ? term : `${decimal(size)} * ${term}`}`;
    })
    .join(" ");
}

/** A number as WGSL's literal of a float. */
const decimal = (value: number): string => (Number.isInteger(value) ? `${value}.0` : `${value}`);

import type { Conv2dAttrs } from "../../kernels/ops/contraction/contract.ts";
import type { ConvTranspose2dAttrs } from "../../kernels/ops/contraction/conv.ts";
import type { BenchCase, BenchSize } from "../check.ts";

type Contracted = "x" | "weight";

const PASSES = [
  { name: "grad x", of: ["x"] },
  { name: "grad weight", of: ["weight"] },
] as const;

const SIDE = 64;

interface Convolution {
  readonly row: string;
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

const CONVOLUTIONS: readonly Convolution[] = [
  { row: "conv 3x3", from: 64, to: 64, kernel: 3 },
  { row: "conv 1x1", from: 128, to: 256, kernel: 1 },
  { row: "conv 3x3 dilated", from: 64, to: 64, kernel: 3, dilation: 2 },
  { row: "conv 3x3 strided", from: 64, to: 128, kernel: 3, stride: 2 },
  { row: "depthwise 3x3", from: 256, to: 256, kernel: 3, groups: 256 },
];

/** Convolutions that keep a side of 64, or halve it. */
export function convBench({ batch }: BenchSize): BenchCase<Contracted, Conv2dAttrs>[] {
  return CONVOLUTIONS.map(({ row, from, to, kernel, stride = 1, dilation = 1, groups = 1 }) => ({
    row,
    detail: `[${batch}, ${SIDE}, ${SIDE}, ${from}] -> ${to}`,
    inputs: { x: [batch, SIDE, SIDE, from], weight: [to, kernel, kernel, from / groups] },
    attrs: { stride, padding: (dilation * (kernel - 1)) / 2, dilation, groups },
    arithmetic: true,
    passes: PASSES,
  }));
}

export function transposedBench({ batch }: BenchSize): BenchCase<Contracted, ConvTranspose2dAttrs>[] {
  const [side, from, to] = [SIDE / 2, 128, 64];
  return [
    {
      row: "transposed 3x3",
      detail: `[${batch}, ${side}, ${side}, ${from}] -> ${to}, stride 2`,
      inputs: { x: [batch, side, side, from], weight: [from, 3, 3, to] },
      attrs: { stride: 2, padding: 1, outputPadding: 1 },
      arithmetic: true,
      passes: PASSES,
    },
  ];
}

/** `x [m, m]` times the transpose of `weight [m, m]`. */
export function linearBench({ software }: BenchSize): BenchCase<Contracted, unknown>[] {
  const m = software ? 512 : 4096;
  return [
    {
      row: "matmul",
      detail: `${m} x ${m} x ${m}`,
      inputs: { x: [m, m], weight: [m, m] },
      arithmetic: true,
      passes: PASSES,
    },
  ];
}

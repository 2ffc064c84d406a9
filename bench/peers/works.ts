/** What is timed: the names of the rows and the work in each, the same for us and for every peer. */
export interface Work {
  readonly name: string;
  /** Floating-point operations, two a multiply-accumulate; 0 where only time is told. */
  readonly flops: number;
}

const convolution = (images: number, channels: number, side: number) => 2 * images * channels ** 2 * side ** 2 * 9;

/** U-Net of 16 channels, three levels, batches of two 64x64 images: multiply-accumulates of its products, twice. */
function unetFlops(): number {
  const w = 16;
  const block = (side: number, from: number, to: number) => 2 * side ** 2 * 9 * (from * to + to * to);
  const up = (side: number, from: number, to: number) => 2 * side ** 2 * 4 * from * to;
  const blocks =
    block(64, 3, w) + block(32, w, 2 * w) + block(16, 2 * w, 4 * w) + block(32, 4 * w, 2 * w) + block(64, 2 * w, w);
  return 2 * (blocks + up(16, 4 * w, 2 * w) + up(32, 2 * w, w) + 2 * 64 * 64 * w);
}

export const WORKS = [
  { name: "matmul 512", flops: 2 * 512 ** 3 },
  { name: "conv3x3 64->64 at 64x64", flops: convolution(1, 64, 64) },
  { name: "conv3x3 32->32 at 64x64, batch 4", flops: convolution(4, 32, 64) },
  { name: "conv3x3 256->256 at 16x16", flops: convolution(1, 256, 16) },
  { name: "conv3x3 dilation 2", flops: convolution(1, 64, 64) },
  { name: "conv3x3 stride 2", flops: convolution(1, 64, 32) },
  { name: "transposed 3x3 stride 2", flops: convolution(1, 64, 32) },
  { name: "attention, 1024 tokens, d 64", flops: 4 * 1024 ** 2 * 64 },
  { name: "batch norm, training", flops: 0 },
  { name: "U-Net forward", flops: unetFlops() },
  { name: "U-Net forward and backward", flops: 3 * unetFlops() },
  { name: "resize, corners aligned, 32->64", flops: 0 },
  { name: "AdamW, 1 M parameters", flops: 0 },
] as const satisfies readonly Work[];

export type WorkName = (typeof WORKS)[number]["name"];

/** The works whose names contain a text; all for an empty one. */
export const worksLike = (text: string): readonly Work[] =>
  WORKS.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));

import type { ByteImage, Size } from "./image.ts";

/**
 * Dots of a letter's cell: five columns and a gap, seven rows and one that some letters hang into, as on character displays, so
 * that no font has to be installed.
 */
const CELL = { width: 6, height: 8 } as const;
const FIRST = 32;

/** Five columns a letter from space to tilde, two hexadecimal digits each; the lowest bit is the uppermost dot. */
const LETTERS =
  "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0005030000 001c224100 0041221c00 " +
  "14083e0814 08083e0808 0050300000 0808080808 0060600000 2010080402 3e5149453e 00427f4000 4261514946 2141454b31 " +
  "1814127f10 2745454539 3c4a494930 0171090503 3649494936 064949291e 0036360000 0056360000 0814224100 1414141414 " +
  "0041221408 0201510906 324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a " +
  "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e " +
  "7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f 6314081463 0708700807 6151494543 007f414100 " +
  "0204081020 0041417f00 0402010204 4040404040 0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 " +
  "087e090102 18a4a4a47c 7f08040478 00447d4000 4080847d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438 " +
  "fc24242418 18242424fc 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c 4428102844 1ca0a0a07c " +
  "4464544c44 0008364100 00007f0000 0041360800 0804081008";

const DOTS = LETTERS.split(" ").map((letter) =>
  [...letter.matchAll(/../g)].map(([column]) => Number.parseInt(column, 16)),
);

/** Letters without a form of their own are written without their marks, else as a question mark. */
function dotsOf(letter: string): readonly number[] {
  const [plain = ""] = letter.normalize("NFD");
  return DOTS[plain.charCodeAt(0) - FIRST] ?? DOTS["?".charCodeAt(0) - FIRST] ?? [];
}

const lettersOf = (text: string): string[] => [...text.normalize("NFC")];

/** Pixels that a line of text takes, each dot a square of `scale` pixels. */
export function textSize(text: string, scale: number): Size {
  return { width: Math.max(0, lettersOf(text).length * CELL.width - 1) * scale, height: CELL.height * scale };
}

/** Writes a line into `picture`, its upper left corner at `left`, `top`; what lies beyond the edges is cut off. */
export function writeText(
  { data, width, height, channels }: ByteImage,
  text: string,
  at: { readonly left: number; readonly top: number; readonly scale: number },
  colour: readonly number[],
): void {
  const dot = (column: number, row: number) => {
    for (let y = at.top + row * at.scale; y < Math.min(height, at.top + (row + 1) * at.scale); y++) {
      for (let x = at.left + column * at.scale; x < Math.min(width, at.left + (column + 1) * at.scale); x++) {
        for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = colour[c] ?? 0;
      }
    }
  };
  lettersOf(text).forEach((letter, index) => {
    dotsOf(letter).forEach((bits, column) => {
      for (let row = 0; row < CELL.height; row++) if ((bits >> row) & 1) dot(index * CELL.width + column, row);
    });
  });
}

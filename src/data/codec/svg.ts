import sharp from "sharp";

/** Of SVG, which counts 96 pixels an inch. */
const SVG_DENSITY = 96;

/** An SVG of our own as PNG on white, `scale` pixels for each of its own. */
export const rasterised = (svg: string, scale: number): Promise<Buffer> =>
  sharp(Buffer.from(svg), { density: SVG_DENSITY * scale })
    .flatten({ background: "#fff" })
    .png()
    .toBuffer();

/**
 * Segments one image with a trained network:
 *
 *   npx tsx examples/predict-image.ts runs/first/checkpoints/best.safetensors image.png mask.png
 */
import { loadNetwork, openDevice, Predictor, readImage, writePng } from "svanet";

const [, , checkpointFile = "", imageFile = "", maskFile = "mask.png"] = process.argv;

// The GPU. Without one this throws a DeviceError that says what to do.
const device = await openDevice();
try {
  // A checkpoint knows its network, its classes and how images were normalised: nothing else is to be said.
  const { network, checkpoint } = await loadNetwork(device, checkpointFile);
  const predictor = new Predictor(network, checkpoint);

  // Images of any size are stretched to the trained size, and the answer back to the image's own.
  const image = await readImage(imageFile);
  const mask = await predictor.mask(image);

  // One byte a pixel, the class. A palette shows it in the data set's colours; the bytes stay class numbers.
  await writePng(maskFile, mask, checkpoint.facts.colours);
  for (const [label, name] of checkpoint.facts.classes.entries()) {
    const pixels = mask.data.reduce((count, value) => count + (value === label ? 1 : 0), 0);
    console.log(`${name}: ${pixels} of ${mask.width * mask.height} pixels`);
  }
  predictor.destroy();
  network.destroy();
} finally {
  device.close();
}

/** A network of one's own, from layers, trained on discs in noise: npx tsx examples/own-network.ts */
import * as svanet from "svanet";

const [CLASSES, SIDE, BATCH, STEPS] = [2, 32, 4, 60];

/** Two levels with a skip. Tensors are `[n, h, w, c]`; a layer's name is its prefix in a state dict. */
function outputs(build: svanet.Build, image: svanet.Value): svanet.Head[] {
  const fine = svanet.convolution(build, "fine", image, { outer: 8, kernel: 3, activation: "relu" });
  const half = svanet.halved(build, fine);
  const coarse = svanet.convolution(build, "coarse", half, { outer: 16, kernel: 3, activation: "relu" });
  const both = svanet.joined(build, fine, svanet.grow(build, coarse, 2));
  return [svanet.classHead("head", svanet.classifier(build, "head", both, CLASSES))];
}

/** Pictures of one disc each, and the class of every pixel. */
function discs(random: () => number) {
  const images = new Float32Array(BATCH * SIDE * SIDE * 3);
  const labels = new Int32Array(BATCH * SIDE * SIDE);
  for (let n = 0; n < BATCH; n++) {
    const [x, y, radius] = [random() * SIDE, random() * SIDE, 4 + 4 * random()];
    for (let i = 0; i < SIDE * SIDE; i++) {
      const inside = Math.hypot((i % SIDE) - x, Math.floor(i / SIDE) - y) < radius;
      labels[n * SIDE * SIDE + i] = inside ? 1 : 0;
      for (let c = 0; c < 3; c++) images[(n * SIDE * SIDE + i) * 3 + c] = 2 * random() - 1 + (inside ? 1 : 0);
    }
  }
  return { images, labels, height: SIDE, width: SIDE };
}

let state = 1;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const device = await svanet.openDevice();
const CONFIG: svanet.OwnConfig = { kind: "own", classes: CLASSES, height: SIDE, width: SIDE, multiple: 2, outputs };
const network = await svanet.Network.create(device, CONFIG, 7); // the seed of the first weights
const trainer = await svanet.Trainer.create(network, {
  loss: svanet.DEFAULT_LOSS,
  optimizer: { kind: "adamw", betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, clipNorm: null },
  classWeights: "none",
  accumulate: 1,
  rates: () => () => 1, // every parameter at the rate of the step
});
for (let index = 0; index < STEPS; index++) {
  const step = { seed: 7, index, rate: 5e-3, frozen: false, first: true, last: true, batches: 1 };
  const { report } = await trainer.submit(discs(random), step);
  if (index % 10 === 0 || index === STEPS - 1) console.log(`step ${index}: loss ${(await report)?.loss.toFixed(4)}`);
}

// The program of an evaluation: norms are folded into convolutions, steps are fused.
const { program, classes, feed } = await network.inference({ batch: BATCH });
const { images, labels } = discs(random);
feed(program, images);
program.run();
const found = await program.readInts(classes);
console.log(`right: ${((100 * found.filter((value, i) => value === labels[i]).length) / found.length).toFixed(1)} %`);
device.close();

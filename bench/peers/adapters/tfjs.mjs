import { createRequire } from "node:module";
import { clocked } from "../rounds.ts";
import { browserLike } from "./draw.mjs";

/** TensorFlow.js on its WebGPU back end, which finds Dawn where a browser has its GPU. */
const REQUIRE = createRequire(import.meta.url);

export async function open() {
  await browserLike();
  const tf = REQUIRE("@tensorflow/tfjs");
  REQUIRE("@tensorflow/tfjs-backend-webgpu");
  tf.enableProdMode();
  await tf.setBackend("webgpu");
  await tf.ready();
  if (tf.getBackend() !== "webgpu") throw new Error(`tfjs fell back to ${tf.getBackend()}`);
  return {
    version: `tfjs ${tf.version.tfjs}`,
    frozen: false,
    async prepare(work) {
      const run = workOf(tf, work);
      if (run === null) return null;
      return clocked(async () => {
        const results = run();
        await finished(tf.backend());
        tf.dispose(results);
      });
    },
  };
}

/** What was queued is submitted and done. */
async function finished(backend) {
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.queue.onSubmittedWorkDone();
}

function workOf(tf, work) {
  const noise = (...shape) => tf.randomNormal(shape);
  const conv =
    (x, weight, stride = 1, dilation = 1) =>
    () =>
      tf.conv2d(x, weight, stride, "same", "NHWC", dilation);
  const square = () => noise(1, 64, 64, 64);
  switch (work) {
    case "matmul 512":
      return inputs([noise(512, 512), noise(512, 512)], (a, b) => tf.matMul(a, b));
    case "conv3x3 64->64 at 64x64":
      return conv(square(), noise(3, 3, 64, 64));
    case "conv3x3 32->32 at 64x64, batch 4":
      return conv(noise(4, 64, 64, 32), noise(3, 3, 32, 32));
    case "conv3x3 256->256 at 16x16":
      return conv(noise(1, 16, 16, 256), noise(3, 3, 256, 256));
    case "conv3x3 dilation 2":
      return conv(square(), noise(3, 3, 64, 64), 1, 2);
    case "conv3x3 stride 2":
      return conv(square(), noise(3, 3, 64, 64), 2);
    case "transposed 3x3 stride 2":
      return inputs([noise(1, 32, 32, 64), noise(3, 3, 64, 64)], (x, weight) =>
        tf.conv2dTranspose(x, weight, [1, 64, 64, 64], 2, "same"),
      );
    case "attention, 1024 tokens, d 64":
      return inputs([noise(1024, 64), noise(1024, 64), noise(1024, 64)], (q, k, v) =>
        tf.tidy(() => tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 0.125)), v)),
      );
    case "batch norm, training":
      return inputs([noise(4, 64, 64, 64), tf.ones([64]), tf.zeros([64])], (x, weight, bias) =>
        tf.tidy(() => {
          const { mean, variance } = tf.moments(x, [0, 1, 2]);
          return tf.batchNorm(x, mean, variance, bias, weight, 1e-5);
        }),
      );
    case "resize, corners aligned, 32->64":
      return inputs([noise(1, 32, 32, 32)], (x) => tf.image.resizeBilinear(x, [64, 64], true));
    case "AdamW, 1 M parameters":
      return adam(tf, 2 ** 20);
    case "U-Net forward":
      return new TfUnet(tf).forward;
    case "U-Net forward and backward":
      return new TfUnet(tf).step;
    default:
      return null;
  }
}

const inputs = (values, body) => () => body(...values);

/** It has Adam without decoupled decay, which is a little less work. */
function adam(tf, count) {
  const parameter = tf.variable(tf.randomNormal([count]));
  const gradient = tf.randomNormal([count]);
  const optimizer = tf.train.adam(1e-3);
  return () => {
    optimizer.applyGradients([{ name: parameter.name, tensor: gradient }]);
    return [];
  };
}

/** The network with a loss, since its gradients are of a loss. */
class TfUnet {
  #tf;
  #variables = [];
  #loss;

  constructor(tf) {
    this.#tf = tf;
    const base = 16;
    const blocks = [
      [3, base],
      [base, 2 * base],
      [2 * base, 4 * base],
      [4 * base, 2 * base],
      [2 * base, base],
    ].map(([from, to]) => [this.#conv(from, to), this.#conv(to, to)]);
    const ups = [this.#weight([2, 2, 2 * base, 4 * base]), this.#weight([2, 2, base, 2 * base])];
    const head = this.#weight([1, 1, base, 1]);
    const image = tf.randomNormal([2, 64, 64, 3]);
    const labels = tf.cast(tf.greater(tf.randomNormal([2, 64, 64, 1]), 0), "float32");
    this.#loss = () => tf.losses.sigmoidCrossEntropy(labels, this.#logits(image, { blocks, ups, head, base }));
  }

  forward = () => this.#tf.tidy(this.#loss);

  step = () => {
    const { value, grads } = this.#tf.variableGrads(this.#loss, this.#variables);
    return [value, grads];
  };

  #variable(tensor) {
    const variable = this.#tf.variable(tensor);
    this.#variables.push(variable);
    return variable;
  }

  #weight(shape) {
    return this.#variable(this.#tf.randomNormal(shape, 0, 0.1));
  }

  #conv(from, to) {
    const weight = this.#weight([3, 3, from, to]);
    return { weight, scale: this.#variable(this.#tf.ones([to])), shift: this.#variable(this.#tf.zeros([to])) };
  }

  #logits(image, { blocks: [first, second, third, fourth, last], ups, head, base }) {
    const tf = this.#tf;
    const half = (x) => tf.maxPool(x, 2, 2, "valid");
    const a = this.#block(image, first);
    const b = this.#block(half(a), second);
    const c = this.#block(half(b), third);
    const raised = tf.conv2dTranspose(c, ups[0], [2, 32, 32, 2 * base], 2, "same");
    const d = this.#block(tf.concat([raised, b], 3), fourth);
    const top = tf.conv2dTranspose(d, ups[1], [2, 64, 64, base], 2, "same");
    return tf.conv2d(this.#block(tf.concat([top, a], 3), last), head, 1, "same");
  }

  #block(x, layers) {
    const tf = this.#tf;
    return layers.reduce((y, { weight, scale, shift }) => {
      const z = tf.conv2d(y, weight, 1, "same");
      const { mean, variance } = tf.moments(z, [0, 1, 2]);
      const normed = tf.mul(tf.sub(z, mean), tf.rsqrt(tf.add(variance, 1e-5)));
      return tf.relu(tf.add(tf.mul(normed, scale), shift));
    }, x);
  }
}

import { readFileSync } from "node:fs";
import { clocked } from "../rounds.ts";
import { browserLike, drawn } from "./draw.mjs";

/** jax-js on WebGPU, compiled by its `jit`. It has no resizing of images. */
export async function open() {
  await browserLike();
  iteratorHelpers();
  const jax = await import("@jax-js/jax");
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
  const { version } = JSON.parse(
    readFileSync(new URL("../node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"),
  );
  return {
    version: `jax-js ${version}`,
    frozen: false,
    async prepare(work) {
      const made = workOf(jax, work);
      if (made === null) return null;
      const compiled = jax.jit(made.body);
      return clocked(async () => {
        // A call uses its arguments up; `ref` is one more claim on each.
        const results = compiled(...made.inputs.map((one) => (Array.isArray(one) ? one.map((a) => a.ref) : one.ref)));
        await jax.blockUntilReady(results);
        for (const result of Array.isArray(results) ? results.flat(3) : [results]) result.dispose();
      });
    },
  };
}

/** It was written for Node 22 and later. */
function iteratorHelpers() {
  const iterators = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  const add = (name, value) => {
    if (!iterators[name]) Object.defineProperty(iterators, name, { value, configurable: true });
  };
  for (const name of ["map", "filter", "flatMap"]) {
    add(name, function through(body) {
      return [...this][name](body)[Symbol.iterator]();
    });
  }
  add("toArray", function toArray() {
    return [...this];
  });
}

const SAME = [
  [1, 1],
  [1, 1],
];

function workOf({ numpy: np, lax, nn, valueAndGrad }, work) {
  const noise = (shape, scale = 1) => np.array(drawn(shape, scale)).reshape(shape);
  const conv = (x, weight, stride = 1) => ({
    inputs: [noise(x), noise(weight)],
    body: (a, b) => lax.conv(a, b, [stride, stride], SAME),
  });
  const square = [1, 64, 64, 64];
  const weight = [64, 64, 3, 3];
  switch (work) {
    case "matmul 512":
      return { inputs: [noise([512, 512]), noise([512, 512])], body: (a, b) => np.matmul(a, b) };
    case "conv3x3 64->64 at 64x64":
      return conv(square, weight);
    case "conv3x3 32->32 at 64x64, batch 4":
      return conv([4, 32, 64, 64], [32, 32, 3, 3]);
    case "conv3x3 256->256 at 16x16":
      return conv([1, 256, 16, 16], [256, 256, 3, 3]);
    case "conv3x3 dilation 2": {
      const twice = [
        [2, 2],
        [2, 2],
      ];
      const body = (x, w) => lax.convGeneralDilated(x, w, [1, 1], twice, { rhsDilation: [2, 2] });
      return { inputs: [noise(square), noise(weight)], body };
    }
    case "conv3x3 stride 2":
      return conv(square, weight, 2);
    case "transposed 3x3 stride 2": {
      const padding = [
        [1, 2],
        [1, 2],
      ];
      const body = (x, w) => lax.convTranspose(x, w, [2, 2], padding, {});
      return { inputs: [noise([1, 64, 32, 32]), noise(weight)], body };
    }
    case "attention, 1024 tokens, d 64": {
      const shape = [1, 1024, 1, 64];
      return {
        inputs: [shape, shape, shape].map((one) => noise(one)),
        body: (q, k, v) => nn.dotProductAttention(q, k, v),
      };
    }
    case "batch norm, training":
      return { inputs: [noise([4, 64, 64, 64]), noise([64]), noise([64])], body: (x, w, b) => normed(np, x, w, b) };
    case "AdamW, 1 M parameters":
      return adamW(np, noise);
    case "U-Net forward":
    case "U-Net forward and backward":
      return unet({ np, lax, nn, valueAndGrad, noise }, work === "U-Net forward");
    default:
      return null;
  }
}

function normed(np, x, weight, bias) {
  const axes = [0, 2, 3];
  const mean = np.mean(x.ref, axes, { keepdims: true });
  const centred = x.sub(mean);
  const variance = np.mean(centred.ref.mul(centred.ref), axes, { keepdims: true });
  const unit = centred.div(np.sqrt(variance.add(1e-5)));
  return unit.mul(weight.reshape([1, -1, 1, 1])).add(bias.reshape([1, -1, 1, 1]));
}

function adamW(np, noise) {
  const count = [2 ** 20];
  const body = (parameter, gradient, first, second) => {
    const m = first.mul(0.9).add(gradient.ref.mul(0.1));
    const v = second.mul(0.999).add(gradient.ref.mul(gradient).mul(0.001));
    const step = m.ref.mul(1e-3).div(np.sqrt(v.ref).add(1e-8));
    return [parameter.mul(1 - 1e-5).sub(step), m, v];
  };
  return { inputs: [noise(count), noise(count), noise(count), noise(count).mul(0).add(1)], body };
}

/** The network with a loss, since its gradients are of a loss. */
function unet({ np, lax, nn, valueAndGrad, noise }, forwardOnly) {
  const base = 16;
  const weights = [];
  const weight = (shape, scale = 0.1) => weights.push(noise(shape, scale)) - 1;
  const layer = (from, to) => ({ weight: weight([to, from, 3, 3]), scale: weight([to], 1), shift: weight([to]) });
  const block = (from, to) => [layer(from, to), layer(to, to)];
  const blocks = [block(3, base), block(base, 2 * base), block(2 * base, 4 * base), block(4 * base, 2 * base)];
  const last = block(2 * base, base);
  const ups = [weight([2 * base, 4 * base, 2, 2]), weight([base, 2 * base, 2, 2])];
  const head = weight([1, base, 1, 1]);
  const through = (p, x, layers) =>
    layers.reduce((y, one) => {
      const z = lax.conv(y, p[one.weight].ref, [1, 1], SAME);
      return nn.relu(normed(np, z, p[one.scale].ref, p[one.shift].ref));
    }, x);
  const half = (x) => {
    const [n, c, h, w] = x.shape;
    return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
  };
  const up = (x, w) => lax.convTranspose(x, w, [2, 2], "VALID", {});
  const loss = (p, x, y) => {
    const a = through(p, x, blocks[0]);
    const b = through(p, half(a.ref), blocks[1]);
    const c = through(p, half(b.ref), blocks[2]);
    const d = through(p, np.concatenate([up(c, p[ups[0]].ref), b], 1), blocks[3]);
    const e = through(p, np.concatenate([up(d, p[ups[1]].ref), a], 1), last);
    const logits = lax.conv(e, p[head].ref, [1, 1], "VALID");
    const value = np.mean(nn.softplus(logits.ref).sub(logits.mul(y)));
    for (const one of p) one.dispose();
    return value;
  };
  const step = (p, x, y) => {
    const [value, gradients] = valueAndGrad((q) => loss(q, x, y))(p);
    return [value, ...gradients];
  };
  const labels = np.array(drawn([2, 1, 64, 64]).map((value) => (value > 0 ? 1 : 0))).reshape([2, 1, 64, 64]);
  return { inputs: [weights, noise([2, 3, 64, 64]), labels], body: forwardOnly ? loss : step };
}

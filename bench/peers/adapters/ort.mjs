import { createRequire } from "node:module";
import { clocked } from "../rounds.ts";
import { drawn } from "./draw.mjs";

/**
 * onnxruntime-node. Its inputs come from the host in every run and its output is reduced to one number, so that what a
 * run moves is the input alone. It cannot train: the network's norms use running statistics, and there is no backward pass.
 */
const REQUIRE = createRequire(import.meta.url);

export async function openOrt(provider) {
  const { onnx } = REQUIRE("onnx-proto");
  const ort = REQUIRE("onnxruntime-node");
  const models = new Models(onnx);
  return {
    version: `onnxruntime-node ${REQUIRE("onnxruntime-node/package.json").version}`,
    frozen: true,
    async prepare(work) {
      const made = models.of(work);
      if (made === null) return null;
      const session = await ort.InferenceSession.create(made.bytes, {
        executionProviders: [provider],
        intraOpNumThreads: 2,
        logSeverityLevel: 3,
      });
      const feeds = Object.fromEntries(
        Object.entries(made.inputs).map(([name, shape]) => [name, new ort.Tensor("float32", drawn(shape), shape)]),
      );
      return clocked(() => session.run(feeds));
    },
  };
}

const SQUARE = [1, 64, 64, 64];

class Models {
  #onnx;

  constructor(onnx) {
    this.#onnx = onnx;
  }

  of(work) {
    switch (work) {
      case "matmul 512":
        return this.#model([node("MatMul", ["a", "b"], "c")], { a: [512, 512], b: [512, 512] });
      case "conv3x3 64->64 at 64x64":
        return this.#conv(SQUARE);
      case "conv3x3 32->32 at 64x64, batch 4":
        return this.#conv([4, 32, 64, 64]);
      case "conv3x3 256->256 at 16x16":
        return this.#conv([1, 256, 16, 16]);
      case "conv3x3 dilation 2":
        return this.#conv(SQUARE, { dilation: 2 });
      case "conv3x3 stride 2":
        return this.#conv(SQUARE, { stride: 2 });
      case "transposed 3x3 stride 2":
        return this.#transposed();
      case "attention, 1024 tokens, d 64":
        return this.#attention();
      case "resize, corners aligned, 32->64":
        return this.#resize();
      case "U-Net forward":
        return this.#unet();
      default:
        return null;
    }
  }

  #conv(x, { stride = 1, dilation = 1 } = {}) {
    const [, channels] = x;
    const attributes = [
      ints("kernel_shape", [3, 3]),
      ints("pads", new Array(4).fill(dilation)),
      ints("strides", [stride, stride]),
      ints("dilations", [dilation, dilation]),
    ];
    return this.#model([node("Conv", ["x", "w"], "c", attributes)], { x }, [weight("w", [channels, channels, 3, 3])]);
  }

  #transposed() {
    const attributes = [
      ints("kernel_shape", [3, 3]),
      ints("pads", [1, 1, 1, 1]),
      ints("strides", [2, 2]),
      ints("output_padding", [1, 1]),
    ];
    const nodes = [node("ConvTranspose", ["x", "w"], "c", attributes)];
    return this.#model(nodes, { x: [1, 64, 32, 32] }, [weight("w", [64, 64, 3, 3])]);
  }

  #attention() {
    const nodes = [
      node("Transpose", ["k"], "t", [ints("perm", [1, 0])]),
      node("MatMul", ["q", "t"], "s"),
      node("Mul", ["s", "scale"], "scaled"),
      node("Softmax", ["scaled"], "p", [int("axis", -1)]),
      node("MatMul", ["p", "v"], "c"),
    ];
    const shape = [1024, 64];
    return this.#model(nodes, { q: shape, k: shape, v: shape }, [
      { name: "scale", dims: [1], dataType: 1, floatData: [0.125] },
    ]);
  }

  #resize() {
    const mode = { name: "mode", type: 3, s: Buffer.from("linear") };
    const corners = { name: "coordinate_transformation_mode", type: 3, s: Buffer.from("align_corners") };
    const scales = { name: "scales", dims: [4], dataType: 1, floatData: [1, 1, 2, 2] };
    return this.#model([node("Resize", ["x", "", "scales"], "c", [mode, corners])], { x: [1, 32, 32, 32] }, [scales]);
  }

  #unet() {
    const net = new OnnxUnet();
    return this.#model(net.nodes, { x: [2, 3, 64, 64] }, net.weights, net.logits);
  }

  /** A graph whose tensor `result` is reduced to the mean that is its output. */
  #model(nodes, inputs, initializer = [], result = "c") {
    const info = (name, shape) => ({
      name,
      type: { tensorType: { elemType: 1, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
    });
    const all = [...nodes, node("ReduceMean", [result], "y", [int("keepdims", 0)])];
    const graph = {
      name: "work",
      node: all.map((one, i) => ({ ...one, name: `${one.opType}${i}` })),
      input: Object.entries(inputs).map(([name, shape]) => info(name, shape)),
      output: [info("y", [])],
      initializer,
    };
    const model = { irVersion: 8, opsetImport: [{ domain: "", version: 17 }], graph };
    const { ModelProto } = this.#onnx;
    return { bytes: ModelProto.encode(ModelProto.create(model)).finish(), inputs };
  }
}

/** U-Net of 16 channels by running statistics. */
class OnnxUnet {
  nodes = [];
  weights = [];
  logits;
  #count = 0;

  constructor() {
    const base = 16;
    const first = this.#block("x", 3, base);
    const second = this.#block(this.#halved(first), base, 2 * base);
    const third = this.#block(this.#halved(second), 2 * base, 4 * base);
    const joined = this.#joined(this.#doubled(third, 4 * base, 2 * base), second);
    const fourth = this.#block(joined, 4 * base, 2 * base);
    const last = this.#block(this.#joined(this.#doubled(fourth, 2 * base, base), first), 2 * base, base);
    this.logits = this.#conv(last, base, 1, 1);
  }

  #add(opType, inputs, attributes = []) {
    const output = `t${this.#count++}`;
    this.nodes.push(node(opType, inputs, output, attributes));
    return output;
  }

  #weight(dims, scale) {
    const name = `w${this.#count++}`;
    this.weights.push(weight(name, dims, scale));
    return name;
  }

  #conv(x, from, to, kernel = 3) {
    const pads = new Array(4).fill(kernel === 3 ? 1 : 0);
    const attributes = [ints("kernel_shape", [kernel, kernel]), ints("pads", pads)];
    return this.#add("Conv", [x, this.#weight([to, from, kernel, kernel])], attributes);
  }

  #block(x, from, to) {
    const normed = (y) => {
      const ones = () => {
        const name = `w${this.#count++}`;
        const rawData = new Uint8Array(new Float32Array(to).fill(1).buffer);
        this.weights.push({ name, dims: [to], dataType: 1, rawData });
        return name;
      };
      return this.#add("Relu", [this.#add("BatchNormalization", [y, ones(), ones(), ones(), ones()])]);
    };
    return normed(this.#conv(normed(this.#conv(x, from, to)), to, to));
  }

  #halved(x) {
    return this.#add("MaxPool", [x], [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])]);
  }

  #doubled(x, from, to) {
    const attributes = [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])];
    return this.#add("ConvTranspose", [x, this.#weight([from, to, 2, 2])], attributes);
  }

  #joined(one, other) {
    return this.#add("Concat", [one, other], [int("axis", 1)]);
  }
}

const node = (opType, input, output, attribute = []) => ({ opType, input, output: [output], attribute });
const int = (name, i) => ({ name, type: 2, i });
const ints = (name, values) => ({ name, type: 7, ints: values });
const weight = (name, dims, scale = 0.1) => ({
  ...{ name, dims, dataType: 1 },
  rawData: new Uint8Array(drawn(dims, scale).buffer),
});

/** An op of one's own: softplus, ln(1 + e^x), with WGSL and derivative, differentiated and run: npx tsx examples/own-op.ts */
import * as svanet from "svanet";

// What backward calls is an op too. The slope is 1 - e^-y: it reads the result, so x need not be kept.
const softplusGradient = svanet.defineOp<object>()({
  name: "softplusGradient",
  inputs: ["grad", "y"],
  shape: ({ grad }) => grad,
  lower: ({ inputs: { grad, y }, out, target }) => [
    svanet.elementwise({
      ...{ label: "softplusGradient", target, out },
      wide: false, // one number at a time; with true, T below were vec4f
      tensors: { grad: svanet.read(grad), y: svanet.read(y) },
      body: "  return grad_at(i) * (1.0 - exp(-y_at(i)));",
    }),
  ],
  macs: svanet.NO_MACS,
  cost: svanet.FREE, // in tables of costs it counts as nothing
  derivative: "second derivatives are not supported",
});

const softplus = svanet.defineOp<object>()({
  name: "softplus",
  inputs: ["x"],
  shape: ({ x }) => x,
  lower: ({ inputs: { x }, out, target }) => [
    svanet.elementwise({
      ...{ label: "softplus", target, out },
      wide: false,
      tensors: { x: svanet.read(x) },
      body: "  return max(x_at(i), 0.0) + log(1.0 + exp(-abs(x_at(i))));",
    }),
  ],
  macs: svanet.NO_MACS,
  cost: svanet.FREE,
  // Backward reaches what `saves` names and nothing else; an input without an answer does not compile.
  derivative: {
    saves: ["out"],
    backward: (grad, { out }, { exec }) => ({ x: () => exec.apply(softplusGradient, { grad, y: out }, {}) }),
  },
});

// A trace is written once, on shapes; the program made of it runs as often as it is fed.
const graph = new svanet.Graph();
const x = graph.input("x", [4]);
const y = graph.apply(softplus, { x }, {});
const slope = svanet.differentiate(graph, y, graph.input("dy", [4]), [x]).get(x.id) ?? x;

const device = await svanet.openDevice();
const program = await svanet.Program.compile(device, graph, { store: new svanet.StateStore(device), keep: [y, slope] });
program.write("x", Float32Array.of(-2, 0, 1, 30));
program.write("dy", Float32Array.of(1, 1, 1, 1));
program.run();
const digits = async (value: typeof y) =>
  Array.from(await program.read(value), (number) => number.toFixed(4)).join(" ");
console.log(`softplus ${await digits(y)}\nslope ${await digits(slope)}`);
program.destroy();
device.close();

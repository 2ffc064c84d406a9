import { normalise } from "../../../src/data/image/normalise.ts";
import { fromChannelsLast, toChannelsLast } from "../../../src/kernels/trace/shape.ts";
import { highest } from "../../../src/metrics/highest.ts";
import { ORT_SCRIPT, PIXELS, SIDE } from "../setting.ts";
import { measurePage, type Predict } from "./clock.ts";

/** What is used of the package, which is installed beside this folder only. */
interface Ort {
  readonly InferenceSession: {
    create(model: string, options: { executionProviders: readonly string[] }): Promise<Session>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => Tensor;
}

interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

interface Session {
  readonly inputNames: readonly [string];
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<"logits", Tensor>>>;
}

const SHAPE = [1, 3, SIDE, SIDE];

/** The published script as it is, which fetches its WebAssembly itself. */
async function open(weights: string): Promise<Predict> {
  const { InferenceSession, Tensor } = (await import(new URL(ORT_SCRIPT, location.href).href)) as Ort;
  const session = await InferenceSession.create(weights, { executionProviders: ["webgpu"] });
  const [input] = session.inputNames;
  return async (data) => {
    const pixels = normalise({ width: SIDE, height: SIDE, channels: 3, data }, PIXELS);
    const image = new Tensor("float32", fromChannelsLast(pixels, SHAPE), SHAPE);
    const { logits } = await session.run({ [input]: image });
    const [scores, classes] = [toChannelsLast(logits.data, logits.dims), logits.dims[1] ?? 1];
    return Uint8Array.from({ length: SIDE ** 2 }, (_, pixel) => highest(scores, pixel * classes, classes));
  };
}

measurePage("onnxruntime-web", open);

/** The part of onnxruntime-node that the tests call; this version's package leaves its own declarations out. */
declare module "onnxruntime-node" {
  class Tensor {
    constructor(type: "float32", data: Float32Array, dims: readonly number[]);
    readonly data: Float32Array;
    readonly dims: readonly number[];
  }
  interface InferenceSession {
    run(feeds: { readonly [name: string]: Tensor }): Promise<{ readonly [name: string]: Tensor }>;
  }
  const ort: {
    readonly Tensor: typeof Tensor;
    readonly InferenceSession: {
      create(model: Uint8Array, options: { readonly executionProviders: readonly string[] }): Promise<InferenceSession>;
    };
  };
  // biome-ignore lint/style/noDefaultExport: a CommonJS module's exports are its default export
  export default ort;
}

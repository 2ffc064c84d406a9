/** Evenly spread numbers in -scale .. scale. */
export function drawn(shape, scale = 1) {
  const count = shape.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length: count }, () => scale * (2 * Math.random() - 1));
}

/** Makes `navigator.gpu` of Dawn, as browsers have it: packages for browsers look nowhere else. */
export async function browserLike() {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(["enable-dawn-features=allow_unsafe_apis"]);
  const navigator = { gpu, userAgent: "node", hardwareConcurrency: 2, platform: "Linux" };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
}

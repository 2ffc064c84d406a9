import type { Target } from "../target.ts";
import type { Access, Binding, Dispatch, DType, Value } from "../trace/op.ts";
import { sizeOf } from "../trace/shape.ts";

/**
 * Builds the text of a shader round its body. Every tensor is reached through generated functions, `x_at(i)` to read
 * and `x_set(i, v)` to write, because a tensor longer than the adapter's binding limit is bound in several parts:
 * the functions pick the part, so no kernel knows about the limit. Nor does one know that a tensor is stored in half precision:
 * the functions take and return f32. Sizes arrive in a uniform block as `args.name`;
 * baked into the text they would make drivers unroll loops and take seconds over it.
 */
interface ShaderSpec {
  readonly label: string;
  readonly target: Target;
  /** Tensors by their WGSL name, in binding order. `wide` ones are seen as vec4f: index and count in units of four. */
  readonly tensors: { readonly [name: string]: TensorUse };
  readonly sizes?: { readonly [name: string]: number };
  readonly floats?: { readonly [name: string]: number };
  readonly enable?: readonly string[];
  readonly workgroupSize: readonly [x: number, y?: number, z?: number];
  /** Lanes a subgroup must have, where the adapter lets a shader choose; needs `enable subgroup_size_control`. */
  readonly subgroupSize?: number;
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** Declarations outside `main`. */
  readonly functions?: string;
  /** The body of `main`; sees `id`, `group`, `local`, `groups` (vec3u) and `lane` (index within the workgroup). */
  readonly main: string;
}

export interface TensorUse {
  readonly value: Value;
  readonly access: Access;
  readonly wide: boolean;
}

export const read = (value: Value, wide = false): TensorUse => ({ value, access: "read", wide });
export const write = (value: Value, wide = false): TensorUse => ({ value, access: "write", wide });
export const update = (value: Value, wide = false): TensorUse => ({ value, access: "update", wide });

/** How elements are stored, and as what the accessors hand them over. */
const ELEMENT: { readonly [T in DType]: { readonly stored: string; readonly seen: string; readonly bytes: number } } = {
  f32: { stored: "f32", seen: "f32", bytes: 4 },
  f16: { stored: "f16", seen: "f32", bytes: 2 },
  i32: { stored: "i32", seen: "i32", bytes: 4 },
  u32: { stored: "u32", seen: "u32", bytes: 4 },
};

/** Bytes of a tensor, rounded up so that a view of its end by four elements stays inside. */
export function byteSize({ shape, dtype }: Pick<Value, "shape" | "dtype">): number {
  return Math.ceil(sizeOf(shape) / 4) * 4 * ELEMENT[dtype].bytes;
}

/** Longest part of a tensor in bytes: a multiple of the offset alignment. */
export function partBytes(target: Target): number {
  const alignment = Math.max(target.offsetAlignment, 16);
  return Math.floor(target.bindingLimit / alignment) * alignment;
}

/** In how many parts a tensor of so many bytes is bound. */
export function partCount(bytes: number, target: Target): number {
  return Math.max(1, Math.ceil(bytes / partBytes(target)));
}

/** Storage bindings that a dispatch with these tensors takes. */
export function bindingCount(bindings: readonly Binding[], target: Target): number {
  return bindings.reduce((sum, { value }) => sum + partCount(byteSize(value), target), 0);
}

export function shader(spec: ShaderSpec): Dispatch {
  const sizes = spec.sizes ?? {};
  const floats = spec.floats ?? {};
  const declared = declareTensors(spec);
  const members = [
    ...Object.keys(sizes).map((name) => `${name}: u32`),
    ...Object.keys(floats).map((name) => `${name}: f32`),
  ];
  const [x, y = 1, z = 1] = spec.workgroupSize;
  const lane = y === 1 && z === 1 ? "local.x" : `local.x + ${x}u * (local.y + ${y}u * local.z)`;
  const wgsl = [
    ...enabled(spec).map((feature) => `enable ${feature};`),
    members.length > 0 ? `struct Args { ${members.join(", ")} }` : "",
    ...declared.lines,
    members.length > 0 ? `@group(0) @binding(${declared.count}) var<uniform> args: Args;` : "",
    spec.functions ?? "",
    `@compute @workgroup_size(${x}, ${y}, ${z})${spec.subgroupSize ? ` @subgroup_size(${spec.subgroupSize})` : ""}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u,
        @builtin(local_invocation_id) local: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lane = ${lane};
${spec.main}
}`,
  ]
    .filter((line) => line !== "")
    .join("\n");
  return {
    label: spec.label,
    wgsl,
    bindings: Object.values(spec.tensors).map(({ value, access }): Binding => ({ value, access })),
    uniform: words(Object.values(sizes), Object.values(floats)),
    workgroups: spec.workgroups,
  };
}

function enabled({ enable = [], tensors }: ShaderSpec): readonly string[] {
  const half = Object.values(tensors).some(({ value }) => value.dtype === "f16");
  return [...new Set(half ? ["f16", ...enable] : enable)];
}

function words(sizes: readonly number[], floats: readonly number[]): Uint32Array {
  const out = new Uint32Array(sizes.length + floats.length);
  out.set(sizes);
  out.set(new Uint32Array(Float32Array.from(floats).buffer), sizes.length);
  return out;
}

function declareTensors(spec: ShaderSpec): { readonly lines: string[]; readonly count: number } {
  const lines: string[] = [];
  let binding = 0;
  for (const [name, use] of Object.entries(spec.tensors)) {
    const parts = partCount(byteSize(use.value), spec.target);
    const mode = use.access === "read" ? "read" : "read_write";
    for (let part = 0; part < parts; part++) {
      lines.push(`@group(0) @binding(${binding++}) var<storage, ${mode}> ${name}_${part}: array<${storedType(use)}>;`);
    }
    lines.push(...accessors(name, use, parts, spec.target));
  }
  return { lines, count: binding };
}

function storedType({ wide, value }: TensorUse): string {
  if (!wide) return ELEMENT[value.dtype].stored;
  return value.dtype === "f16" ? "vec4<f16>" : "vec4f";
}

/** `x_at` and `x_set`: a chain of comparisons over the parts, none at all when there is one. */
function accessors(name: string, use: TensorUse, parts: number, target: Target): string[] {
  const { dtype } = use.value;
  const length = partBytes(target) / (ELEMENT[dtype].bytes * (use.wide ? 4 : 1));
  const stored = storedType(use);
  const seen = elementType(use.wide, ELEMENT[dtype].seen);
  const as = (type: string, text: string) => (stored === seen ? text : `${type}(${text})`);
  const chain = (statement: (part: number, index: string) => string): string =>
    Array.from({ length: parts }, (_, part) => {
      const index = part === 0 ? "i" : `i - ${part * length}u`;
      return part === parts - 1
        ? statement(part, index)
        : `if (i < ${(part + 1) * length}u) { ${statement(part, index)} }`;
    }).join(" ");
  const lines: string[] = [];
  if (use.access !== "write") {
    lines.push(`fn ${name}_at(i: u32) -> ${seen} { ${chain((p, i) => `return ${as(seen, `${name}_${p}[${i}]`)};`)} }`);
  }
  if (use.access !== "read") {
    lines.push(
      `fn ${name}_set(i: u32, v: ${seen}) { ${chain((p, i) => `${name}_${p}[${i}] = ${as(stored, "v")}; return;`)} }`,
    );
  }
  return lines;
}

/** A grid of at least `count` workgroups, folded into y where one axis is too short. */
export function spread(count: number, target: Target): readonly [number, number, number] {
  const x = Math.min(Math.max(count, 1), target.workgroupsPerAxis);
  return [x, Math.ceil(Math.max(count, 1) / x), 1];
}

const WORKGROUP = 64;

/** WGSL's name for one element as a kernel sees it. */
export const elementType = (wide: boolean, scalar = "f32"): string => (wide ? "vec4f" : scalar);

/** What a kernel of independent invocations is written with. */
export interface KernelSpec {
  readonly label: string;
  readonly target: Target;
  readonly tensors: { readonly [name: string]: TensorUse };
  readonly sizes?: { readonly [name: string]: number };
  readonly floats?: { readonly [name: string]: number };
  readonly functions?: string;
  readonly body: string;
}

/** A shader with `count` invocations; `body` sees `i`, the index of its own, `T` (which is `type`) and `args`. */
export function perInvocation(spec: KernelSpec & { readonly count: number; readonly type: string }): Dispatch {
  return shader({
    label: spec.label,
    target: spec.target,
    tensors: spec.tensors,
    sizes: { count: spec.count, ...spec.sizes },
    ...(spec.floats ? { floats: spec.floats } : {}),
    workgroupSize: [WORKGROUP],
    workgroups: spread(Math.ceil(spec.count / WORKGROUP), spec.target),
    functions: `alias T = ${spec.type};\n${spec.functions ?? ""}`,
    main: `  let i = id.x + id.y * groups.x * ${WORKGROUP}u;
  if (i >= args.count) { return; }
${spec.body}`,
  });
}

/**
 * A shader with one invocation per element of `out`. `body` is the content of `fn element(i: u32) -> T`, where T is
 * vec4f when `wide` (then `i` counts groups of four along the last axis) and f32 otherwise; written with `T(0.0)`
 * and `select`, one text serves both.
 */
export function elementwise(spec: KernelSpec & { readonly out: Value; readonly wide: boolean }): Dispatch {
  const { out, wide, tensors, functions = "", body, ...rest } = spec;
  return perInvocation({
    ...rest,
    count: sizeOf(out.shape) / (wide ? 4 : 1),
    type: elementType(wide, ELEMENT[out.dtype].seen),
    tensors: { ...tensors, out: write(out, wide) },
    functions: `${functions}\nfn element(i: u32) -> T {\n${body}\n}`,
    body: "  out_set(i, element(i));",
  });
}

/** True when every shape's last axis is a multiple of four, so that the tensors can be read as vec4f. */
export function allWide(...values: readonly Value[]): boolean {
  return values.every((v) => ELEMENT[v.dtype].seen === "f32" && (v.shape[v.shape.length - 1] ?? 1) % 4 === 0);
}

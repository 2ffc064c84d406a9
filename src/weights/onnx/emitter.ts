import { ShapeError } from "../../errors.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { fromChannelsLast, type Shape, sizeOf } from "../../kernels/trace/shape.ts";
import type { Message } from "../../protobuf.ts";
import { type Attributes, floatTensor, intTensor, node } from "./model.ts";

/** Names of a value in the file: as traced (channels last), and with channels as axis 1 where it has four axes. */
interface Names {
  plain?: string;
  first?: string;
}

/** What an exporter gives back: the result's name and the order of its axes. */
export interface Exported {
  readonly name: string;
  readonly order: "plain" | "first";
}

const TO_FIRST = [0, 3, 1, 2];
const TO_PLAIN = [0, 2, 3, 1];

/**
 * Collects the nodes of a file. Values of four axes may stand in either order; a transposition is written where one
 * order is asked for and only the other is there, and at most once a value.
 */
export class Emitter {
  readonly nodes: Message[] = [];
  readonly constants: Message[] = [];
  /** Path of the step being written, in front of the names of its nodes. */
  path = "";
  readonly #names = new Map<number, Names>();
  readonly #state = new Map<number, { readonly key: string; readonly data: Float32Array }>();
  /** Weights that PyTorch keeps as one tensor, in order; those that are not written yet. */
  readonly #parts = new Map<string, Value[]>();
  readonly #batch: ReadonlyMap<number, readonly boolean[]>;
  readonly #constantNames = new Map<string, string>();
  #count = 0;

  /** `batch` says of each value by id which axes grow with the batch. */
  constructor(batch: ReadonlyMap<number, readonly boolean[]>) {
    this.#batch = batch;
  }

  /** Writes a node with one result; returns the result's name. */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = `${this.path === "" ? "" : `${this.path}/`}${op}_${this.#count++}`;
    this.nodes.push(node({ name: output, op, inputs, outputs: [output], attributes }));
    return output;
  }

  ints(values: readonly number[]): string {
    return this.#constant(`ints ${values}`, (name) => intTensor(name, values));
  }

  floats(values: Float32Array, shape: readonly number[]): string {
    return this.#constant(`floats ${shape} ${values}`, (name) => floatTensor(name, shape, values));
  }

  number(value: number): string {
    return this.floats(Float32Array.of(value), []);
  }

  #constant(key: string, make: (name: string) => Message): string {
    const known = this.#constantNames.get(key);
    if (known !== undefined) return known;
    const name = `constant_${this.#constantNames.size}`;
    this.constants.push(make(name));
    this.#constantNames.set(key, name);
    return name;
  }

  /** Declares a value that exists already: the image, under its name in the file. */
  define(value: Value, { name, order }: Exported): void {
    this.#names.set(value.id, { ...this.#names.get(value.id), [order]: name });
  }

  /**
   * Declares a weight or statistic; it is written when it is first used, in the order it is used in. Keys `NAME/0`,
   * `NAME/1` and so on are parts of one tensor of PyTorch's along its first axis.
   */
  defineState(value: Value, key: string, data: Float32Array): void {
    this.#state.set(value.id, { key, data });
    const [, name, part] = /^(.*)\/(\d+)$/.exec(key) ?? [];
    if (name === undefined) return;
    const parts = this.#parts.get(name) ?? [];
    parts[Number(part)] = value;
    this.#parts.set(name, parts);
  }

  /** The numbers of a weight or statistic. */
  stateData(value: Value): Float32Array {
    const state = this.#state.get(value.id);
    if (!state) throw new ShapeError(`ONNX: ${this.path} needs a weight where the trace has a computed value`);
    return state.data;
  }

  /** The name of a value in the order it is traced in. */
  plain(value: Value): string {
    this.#writeParts(value);
    const names = this.#namesOf(value);
    names.plain ??=
      names.first === undefined && this.#state.has(value.id)
        ? this.#writeState(value, false)
        : this.node("Transpose", [known(names.first, value)], { perm: TO_PLAIN });
    return names.plain;
  }

  /** The name of a value of four axes with channels as axis 1. */
  first(value: Value): string {
    if (value.shape.length !== 4) throw new ShapeError(`ONNX: [${value.shape}] has no channel axis to move`);
    this.#writeParts(value);
    const names = this.#namesOf(value);
    names.first ??= this.#state.has(value.id)
      ? this.#writeState(value, true)
      : this.node("Transpose", [known(names.plain, value)], { perm: TO_FIRST });
    return names.first;
  }

  /** Whether the value is there with channels as axis 1 already. */
  isFirst(value: Value): boolean {
    return value.shape.length === 4 && this.#names.get(value.id)?.first !== undefined;
  }

  /** In the order the value is there in. */
  either(value: Value): Exported {
    return this.isFirst(value)
      ? { name: this.first(value), order: "first" }
      : { name: this.plain(value), order: "plain" };
  }

  /** A traced shape as a constant for Reshape: -1 for the axis that grows with the batch. */
  shape(value: Value): string {
    const grows = this.#batch.get(value.id) ?? [];
    if (grows.filter(Boolean).length > 1)
      throw new ShapeError(`ONNX: two axes of [${value.shape}] grow with the batch`);
    return this.ints(value.shape.map((extent, axis) => (grows[axis] ? -1 : extent)));
  }

  #namesOf(value: Value): Names {
    const names = this.#names.get(value.id) ?? {};
    this.#names.set(value.id, names);
    return names;
  }

  /** Writes the whole that a weight is a part of, and the node that gives all its parts. */
  #writeParts(value: Value): void {
    const name = this.#state.get(value.id)?.key.replace(/\/\d+$/, "") ?? "";
    const parts = this.#parts.get(name);
    if (!parts?.includes(value)) return;
    this.#parts.delete(name);
    const channelsFirst = value.shape.length === 4;
    const shapes = parts.map(({ shape }) => (channelsFirst ? moved(shape) : shape));
    const extents = shapes.map(([extent = 0]) => extent);
    const [[, ...rest] = []] = shapes;
    const whole = [extents.reduce((sum, extent) => sum + extent, 0), ...rest];
    const data = new Float32Array(sizeOf(whole));
    let offset = 0;
    for (const [i, part] of parts.entries()) {
      const own = this.stateData(part);
      data.set(channelsFirst ? fromChannelsLast(own, shapes[i] ?? []) : own, offset);
      offset += own.length;
    }
    this.constants.push(floatTensor(name, whole, data));
    const outputs = parts.map((_, i) => `${name}/${i}`);
    this.nodes.push(
      node({
        name: `${name}/Split`,
        op: "Split",
        inputs: [name, this.ints(extents)],
        outputs,
        attributes: { axis: 0 },
      }),
    );
    for (const [i, part] of parts.entries()) {
      this.define(part, { name: outputs[i] ?? name, order: channelsFirst ? "first" : "plain" });
    }
  }

  #writeState(value: Value, first: boolean): string {
    const { key } = this.#state.get(value.id) ?? { key: "" };
    const data = this.stateData(value);
    const shape = first ? moved(value.shape) : value.shape;
    const name = first || value.shape.length < 3 ? key : `${key}.last`;
    this.constants.push(floatTensor(name, shape, first ? fromChannelsLast(data, shape) : data));
    return name;
  }

  /** A second name for a value: the name of an output. */
  alias(value: string, name: string): void {
    this.nodes.push(node({ name: `output/${name}`, op: "Identity", inputs: [value], outputs: [name], attributes: {} }));
  }
}

function known(name: string | undefined, value: Value): string {
  if (name === undefined) throw new ShapeError(`ONNX: a value of [${value.shape}] is used before it is computed`);
  return name;
}

function moved([n = 1, h = 1, w = 1, c = 1]: Shape): number[] {
  return [n, c, h, w];
}

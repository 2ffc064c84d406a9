import { Message } from "../../protobuf.ts";

/** `{ float }` marks a number that is a float even when it is whole. */
type Attribute = number | { readonly float: number } | string | readonly number[];
export type Attributes = { readonly [name: string]: Attribute };

/** Opset of every op used here; IR version of its time. */
const OPSET = 17;
const IR_VERSION = 8;
const FLOAT = 1;
const INT64 = 7;

function attribute(name: string, value: Attribute): Message {
  const message = new Message().text(1, name);
  if (typeof value === "number") return message.int(3, value).int(20, 2);
  if (typeof value === "string") return message.text(4, value).int(20, 3);
  if ("float" in value) return message.float(2, value.float).int(20, 1);
  for (const item of value) message.int(8, item);
  return message.int(20, 7);
}

interface NodeOptions {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export function node({ name, op, inputs, outputs, attributes }: NodeOptions): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  message.text(3, name).text(4, op);
  for (const [key, value] of Object.entries(attributes)) message.message(5, attribute(key, value));
  return message;
}

function tensor(name: string, shape: readonly number[], type: number, bytes: Uint8Array): Message {
  const message = new Message();
  for (const extent of shape) message.int(1, extent);
  return message.int(2, type).text(8, name).data(9, bytes);
}

export function floatTensor(name: string, shape: readonly number[], values: Float32Array): Message {
  return tensor(name, shape, FLOAT, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

export function intTensor(name: string, values: readonly number[]): Message {
  return tensor(name, [values.length], INT64, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
}

/** A float tensor going in or out; a text extent is a name, such as "batch". */
export function port(name: string, shape: readonly (number | string)[]): Message {
  const extents = new Message();
  for (const extent of shape) {
    extents.message(1, typeof extent === "string" ? new Message().text(2, extent) : new Message().int(1, extent));
  }
  const type = new Message().message(1, new Message().int(1, FLOAT).message(2, extents));
  return new Message().text(1, name).message(2, type);
}

interface ModelOptions {
  readonly nodes: readonly Message[];
  readonly constants: readonly Message[];
  readonly inputs: readonly Message[];
  readonly outputs: readonly Message[];
  readonly version: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * A whole network as the message of ONNX (github.com/onnx/onnx, onnx.proto): field numbers and nothing else are known
 * here.
 */
export function model({ nodes, constants, inputs, outputs, version, metadata }: ModelOptions): Message {
  const graph = new Message();
  for (const message of nodes) graph.message(1, message);
  graph.text(2, "network");
  for (const message of constants) graph.message(5, message);
  for (const message of inputs) graph.message(11, message);
  for (const message of outputs) graph.message(12, message);
  const out = new Message().int(1, IR_VERSION).text(2, "svanet").text(3, version).message(7, graph);
  out.message(8, new Message().text(1, "").int(2, OPSET));
  for (const [key, value] of metadata) out.message(14, new Message().text(1, key).text(2, value));
  return out;
}

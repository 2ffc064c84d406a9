const utf8 = new TextEncoder();

function varint(value: number | bigint): number[] {
  // Negative numbers take ten bytes: two's complement of 64 bits.
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return out;
}

/**
 * One message under construction, in protocol buffers (protobuf.dev/programming-guides/encoding) as far as ONNX and
 * TensorBoard's events need them. Large byte fields are kept, not copied, until the whole is written.
 */
export class Message {
  readonly chunks: Uint8Array[] = [];
  bytes = 0;

  #push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** A whole number: int32, int64 or an enumeration. */
  int(field: number, value: number | bigint): this {
    this.#push(Uint8Array.from([...varint(field * 8), ...varint(value)]));
    return this;
  }

  /** A 32-bit float. */
  float(field: number, value: number): this {
    const out = new Uint8Array([...varint(field * 8 + 5), 0, 0, 0, 0]);
    new DataView(out.buffer).setFloat32(out.length - 4, value, true);
    this.#push(out);
    return this;
  }

  /** A 64-bit float. */
  double(field: number, value: number): this {
    const out = new Uint8Array([...varint(field * 8 + 1), 0, 0, 0, 0, 0, 0, 0, 0]);
    new DataView(out.buffer).setFloat64(out.length - 8, value, true);
    this.#push(out);
    return this;
  }

  data(field: number, value: Uint8Array): this {
    this.#push(Uint8Array.from([...varint(field * 8 + 2), ...varint(value.length)]));
    this.#push(value);
    return this;
  }

  text(field: number, value: string): this {
    return this.data(field, utf8.encode(value));
  }

  message(field: number, value: Message): this {
    this.#push(Uint8Array.from([...varint(field * 8 + 2), ...varint(value.bytes)]));
    for (const chunk of value.chunks) this.#push(chunk);
    return this;
  }

  /** Everything in one piece. */
  encode(): Uint8Array {
    const out = new Uint8Array(this.bytes);
    let at = 0;
    for (const chunk of this.chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

/** A field of a message: a number, or the bytes of a text, a message or a float. */
export type Field = number | Buffer;

/** A reader of protocol buffers of its own, to check what svanet writes: the fields of a message by number, in their order. */
export function parseMessage(bytes: Buffer): Map<number, Field[]> {
  const found = new Map<number, Field[]>();
  let at = 0;
  const whole = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes.readUInt8(at++);
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  };
  const take = (count: number): Buffer => {
    if (at + count > bytes.length) throw new Error("a field is longer than its message");
    at += count;
    return bytes.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const key = whole();
    const read = [whole, () => take(8), () => take(whole()), undefined, undefined, () => take(4)][key % 8];
    if (read === undefined) throw new Error(`wire type ${key % 8} at ${at}`);
    found.set(key >>> 3, [...(found.get(key >>> 3) ?? []), read()]);
  }
  return found;
}

/** The one field of a number that holds bytes. */
export function bytesOf(message: ReadonlyMap<number, readonly Field[]>, field: number): Buffer {
  const [value, ...more] = message.get(field) ?? [];
  if (!Buffer.isBuffer(value) || more.length > 0) throw new Error(`field ${field} is not there once, as bytes`);
  return value;
}

/** The data of every record of a TFRecord file, checksums unread. */
export function recordsOf(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    records.push(file.subarray(at + 12, at + 12 + length));
    at += length + 16;
  }
  return records;
}

// What Node and every browser have beside the language itself, as far as the portable rooms use it: tsconfig.portable.json
// leaves out the types of both, so that nothing else slips in.
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: string, options?: { readonly fatal?: boolean });
  decode(bytes: Uint8Array): string;
}

declare function setTimeout(act: (nothing: undefined) => void, milliseconds?: number): unknown;

declare const performance: { now(): number };

declare const crypto: {
  readonly subtle: { digest(algorithm: "SHA-256", bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> };
};

declare class DecompressionStream {
  constructor(format: "gzip");
  readonly readable: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }>; cancel(): Promise<void> };
  };
  readonly writable: {
    getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  };
}

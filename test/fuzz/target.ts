/** A parser of other people's files, and what to feed it. */
export interface FuzzTarget {
  readonly name: string;
  /** Good files, small ones; mutations start from them. */
  readonly seeds: () => Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /** Files made to do harm, which must be refused. */
  readonly traps?: () => readonly Uint8Array[];
  /** Bytes at the start in which headers lie. */
  readonly head: number;
  /** Words of the format. */
  readonly words: readonly string[];
  /** Names that the target itself writes into its folder. */
  readonly writes: readonly string[];
  /** Set where it flushes what it writes, which a process without leave (scripts/fuzz.mjs) may not do anywhere. */
  readonly flushes?: true;
  /** Makes checksums right that hide what lies behind them. */
  readonly reseal?: (bytes: Buffer) => Buffer | Promise<Buffer>;
  /** Reads the input as the program does; whatever it throws is judged. Messages name a file "fuzzed...". */
  run(bytes: Buffer, folder: string): Promise<unknown> | unknown;
}

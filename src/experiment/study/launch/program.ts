/** How this program is called to carry one run out: `node .../main.js`, and what stands before the command's own words. */
export type Program = readonly string[];

/** What a launcher adds to the command of a run. */
export interface RunOptions {
  readonly adapter?: string | undefined;
  /** Threads that prepare images; the run's own choice, or the machine's, where it is left out. */
  readonly workers?: number | undefined;
}

/** The words that carry out the run of a run file: what a child process, a printed line and a task of a cluster are. */
export function runCommand(program: Program, file: string, { adapter, workers }: RunOptions = {}): string[] {
  return [
    ...program,
    "run-study",
    file,
    ...(adapter === undefined ? [] : ["--adapter", adapter]),
    ...(workers === undefined ? [] : ["--workers", String(workers)]),
  ];
}

/** A word as a POSIX shell reads it back, whatever is in it; plain words stay as they are. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Words as a line for a POSIX shell. A line feed in a word stays one: see {@link shellWord}. */
export const shellLine = (words: readonly string[]): string => words.map(shellWord).join(" ");

/** Prints a measured figure of a long test: it is what the reader came for, passed or not. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

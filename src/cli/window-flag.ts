import { UsageError } from "../errors.ts";

/** The error where a window is given and nothing is seen through one. */
export function windowless(folder: string): UsageError {
  return new UsageError(
    `--window: all pictures in ${folder} have 8 bits, which are shown as they are; leave it out ` +
      "(svanet data prepare takes it for scans)",
  );
}

/**
 * Failures a person is told about in one message: what is wrong, where, which values, what to do. Everything else is
 * a bug and keeps its stack. The exit codes are part of the command line's contract: 1 a failure we explain,
 * 2 wrong usage, 75 worth retrying.
 */
export class SvanetError extends Error {
  readonly exitCode: number = 1;
  override get name(): string {
    return this.constructor.name;
  }
}

/** The command line or a configuration file asks for something that does not exist or does not fit together. */
export class UsageError extends SvanetError {
  override readonly exitCode = 2;
}

/** A data set, image or mask is missing, damaged or inconsistent. */
export class DataError extends SvanetError {}

/** Results cannot be written: a full disk, a read-only one, a file where a folder is to be. */
export class OutputError extends SvanetError {}

/** A checkpoint or weights file is damaged, foreign or belongs to another network. */
export class CheckpointError extends SvanetError {}

/** Shapes that do not go together; the message names the op and every shape. */
export class ShapeError extends SvanetError {}

/** The GPU or its driver refused something; the message names the step. */
export class DeviceError extends SvanetError {}

/** The adapter has less memory than the plan needs; the message gives both figures and what to reduce. */
export class OutOfMemoryError extends DeviceError {
  /** The message without its advice, for whoever knows better what helps. */
  readonly figures: string;

  /** `advice` is what to reduce, without a full stop. */
  constructor(figures: string, { advice, ...options }: ErrorOptions & { readonly advice?: string } = {}) {
    super(advice === undefined ? figures : `${figures}; ${advice}`, options);
    this.figures = figures;
  }
}

/** The GPU went away while working (driver reset, removed card). Running the same command again may succeed. */
export class DeviceLostError extends DeviceError {
  override readonly exitCode = 75;
}

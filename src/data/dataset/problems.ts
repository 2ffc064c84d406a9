import { DataError } from "../../errors.ts";
import { visibleInLine } from "../../visible.ts";

/** Kinds of findings; their names are part of the JSON that `svanet data verify` prints. */
type ProblemCode =
  | "not-an-image"
  | "shared-stem"
  | "unpaired"
  | "channels-differ"
  | "empty-split"
  | "unreadable"
  | "size-mismatch"
  | "label-beyond-classes"
  | "mask-0-255"
  | "not-class-numbers"
  | "duplicate-across-splits"
  | "duplicate-within-split"
  | "near-duplicate"
  | "empty-mask"
  | "flat-image"
  | "class-never-present"
  | "shared-patient"
  | "image-modes-differ"
  | "mask-modes-differ"
  | "mask-in-colour"
  | "unused-mask"
  | "instances-differ"
  | "identifier-in-name"
  | "burnt-in-text"
  | "not-indexed";

/** What is wrong or odd in a dataset: which kind, where, and what to do. */
export interface Problem {
  readonly code: ProblemCode;
  /** The file or folder concerned. */
  readonly file: string;
  /** Complete sentence: file, what is wrong, which values, what to do. */
  readonly message: string;
  /** What to do, alone. */
  readonly cure: string;
}

/** A finding whose sentence is made of its parts. */
export function problem(code: ProblemCode, file: string, what: string, cure: string): Problem {
  return { code, file, message: visibleInLine(`${file}: ${what}; ${cure}`), cure };
}

/** A failure to read `file` as a finding; anything but a DataError is thrown again. */
export function unreadable(file: string, error: unknown): Problem {
  if (!(error instanceof DataError)) throw error;
  const { message } = error;
  // Messages of DataErrors end with what to do, behind their last semicolon.
  const cure = message.slice(message.lastIndexOf("; ") + 1).trim();
  return { code: "unreadable", file, message, cure };
}

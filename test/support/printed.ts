import { vi } from "vitest";

/** Catches what is printed to stdout and stderr until mocks are restored: its lines, in order, growing. */
export function catchPrinted(): string[] {
  const lines: string[] = [];
  const keep = (text: string | Uint8Array) => {
    lines.push(...String(text).replace(/\n$/, "").split("\n"));
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(keep);
  vi.spyOn(process.stderr, "write").mockImplementation(keep);
  return lines;
}

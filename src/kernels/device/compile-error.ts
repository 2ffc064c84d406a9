/** A WGSL diagnostic as a message a person can act on: the op, what is wrong, and the lines round it. */
export function explainCompileError(
  label: string,
  wgsl: string,
  messages: Iterable<{
    readonly type: string;
    readonly lineNum: number;
    readonly linePos: number;
    readonly message: string;
  }>,
  cause: unknown,
): string {
  const lines = wgsl.split("\n");
  const parts = [...messages]
    .filter((m) => m.type === "error")
    .map((m) => {
      const from = Math.max(0, m.lineNum - 3);
      const source = lines.slice(from, m.lineNum + 2).map((text, i) => {
        const number = from + i + 1;
        return `${number === m.lineNum ? ">" : " "}${String(number).padStart(4)} ${text}`;
      });
      return `line ${m.lineNum}:${m.linePos}: ${m.message}\n${source.join("\n")}`;
    });
  const detail = parts.length > 0 ? parts.join("\n") : cause instanceof Error ? cause.message : String(cause);
  return `the shader of ${label} does not compile on this adapter: ${detail}`;
}

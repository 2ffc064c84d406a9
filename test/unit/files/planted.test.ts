import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { OutputError } from "../../../src/errors.ts";
import { replaceFile, writeFileAtomic } from "../../../src/files/atomic.ts";
import { requireWritableFolder } from "../../../src/files/folder.ts";
import * as temporary from "../../../src/files/temporary.ts";

vi.mock("../../../src/files/temporary.ts", { spy: true });

test.runIf(process.platform !== "win32").each([
  ["writeFileAtomic", async (path: string) => writeFileAtomic(path, "new")],
  ["replaceFile", (path: string) => replaceFile(path, "new")],
  ["requireWritableFolder", async (path: string) => requireWritableFolder(join(path, ".."))],
] as const)("%s writes through no link, were a temporary name foreseen", async (_, write) => {
  const root = mkdtempSync(join(tmpdir(), "svanet-planted-"));
  writeFileSync(join(root, "precious"), "kept");
  symlinkSync(join(root, "precious"), join(root, "foreseen"));
  vi.mocked(temporary.temporaryFor).mockReturnValue(join(root, "foreseen"));
  await expect(write(join(root, "x"))).rejects.toBeInstanceOf(OutputError);
  expect(readFileSync(join(root, "precious"), "utf8")).toBe("kept");
});

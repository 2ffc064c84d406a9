import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { OutputError, UsageError } from "../../../src/errors.ts";
import { AtomicFile, replaceFile, writeFileAtomic } from "../../../src/files/atomic.ts";
import { reasonOf, writeFailure } from "../../../src/files/failure.ts";
import { makeFolder, makeInnerFolder, requireWritableFile, requireWritableFolder } from "../../../src/files/folder.ts";
import { writeFolder } from "../../../src/files/new-folder.ts";
import { removeTemporaryFiles, temporaryFor } from "../../../src/files/temporary.ts";
import { writeSafetensors } from "../../../src/weights/safetensors-file.ts";
import { deadProcess } from "../../support/dead-process.ts";

const linux = process.platform === "linux";
const newFolder = () => mkdtempSync(join(tmpdir(), "svanet-files-"));

/** What `work` throws; the test fails where it throws nothing. */
function thrown(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

const errno = (code: string) => Object.assign(new Error(`${code}: refused`), { code, syscall: "write" });

describe("a folder", () => {
  test("is made with those above it, and those made are told", () => {
    const root = newFolder();
    const deep = join(root, "a", "b");
    expect(makeFolder(deep)).toEqual([join(root, "a"), deep]);
    expect(makeFolder(deep)).toEqual([]);
  });

  test.each(["", "sub", "sub/deeper"])("on or below a file (%s) is wrong usage, and the file is named", (below) => {
    const file = join(newFolder(), "file");
    writeFileSync(file, "");
    const error = thrown(() => makeFolder(join(file, below), "--out x"));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(`--out x: ${file} is a file; name a folder`);
  });

  test.runIf(linux)("that the system never makes is refused at once, not tried for ever", () => {
    const error = thrown(() => makeFolder("/proc/svanet/x", "--out /proc/svanet/x"));
    expect(error).toBeInstanceOf(OutputError);
    expect(error.message).toMatch(/^--out \/proc\/svanet\/x: the folder cannot be made: .*; choose another place$/);
  });

  test.runIf(linux)("behind a link to nowhere or in a circle of links is refused", () => {
    const root = newFolder();
    symlinkSync(join(root, "nowhere"), join(root, "dead"));
    symlinkSync(join(root, "circle"), join(root, "circle"));
    expect(thrown(() => makeFolder(join(root, "dead"))).message).toContain(
      "the folder cannot be made: the folder does not exist or cannot hold files; choose another place",
    );
    expect(thrown(() => makeFolder(join(root, "circle", "x"))).message).toContain("links lead in a circle");
  });

  test.runIf(linux)("of ours within another is not a link to elsewhere", () => {
    const root = newFolder();
    mkdirSync(join(root, "elsewhere"));
    symlinkSync(join(root, "elsewhere"), join(root, "overlays"));
    expect(thrown(() => makeInnerFolder(join(root, "overlays"))).message).toContain("is a symbolic link");
    makeInnerFolder(join(root, "elsewhere"));
  });

  test("that is only tried is not left behind", () => {
    const root = newFolder();
    requireWritableFolder(join(root, "a", "b"));
    expect(readdirSync(root)).toEqual([]);
    requireWritableFolder(root);
    expect(readdirSync(root)).toEqual([]);
  });

  test.runIf(linux)("that takes no files is refused before any work", () => {
    expect(thrown(() => requireWritableFolder("/proc", "--out /proc"))).toBeInstanceOf(OutputError);
  });
});

describe("a file to write", () => {
  test("is no folder, and lies in a folder that exists", () => {
    const root = newFolder();
    expect(thrown(() => requireWritableFile(root, "--out x")).message).toBe("--out x: is a folder; name a file");
    const missing = join(root, "a", "x.onnx");
    expect(thrown(() => requireWritableFile(missing, "--out x"))).toBeInstanceOf(UsageError);
    requireWritableFile(join(root, "x.onnx"));
    expect(readdirSync(root)).toEqual([]);
  });

  test.runIf(linux)("is no device", () => {
    expect(thrown(() => requireWritableFile("/dev/null", "--out /dev/null")).message).toContain("no regular file");
  });
});

describe("what is written whole", () => {
  test.runIf(linux)("replaces a planted link and leaves what it points to alone", async () => {
    const root = newFolder();
    const target = join(root, "precious");
    writeFileSync(target, "kept");
    for (const write of [writeFileAtomic, replaceFile]) {
      const path = join(root, write.name);
      symlinkSync(target, path);
      await write(path, "new");
      expect(lstatSync(path).isSymbolicLink()).toBe(false);
      expect(readFileSync(path, "utf8")).toBe("new");
    }
    expect(readFileSync(target, "utf8")).toBe("kept");
  });

  test("has no name before its end, and leaves nothing when it is given up", () => {
    const root = newFolder();
    const file = new AtomicFile(join(root, "x"));
    file.append(Uint8Array.of(1));
    expect(existsSync(file.path)).toBe(false);
    file.discard();
    expect(readdirSync(root)).toEqual([]);
  });

  test("can have its first bytes written again before it has its name", () => {
    const file = new AtomicFile(join(newFolder(), "x"));
    file.append(Uint8Array.of(0, 0, 3));
    file.append(Uint8Array.of(4));
    file.rewriteStart(Uint8Array.of(1, 2));
    file.append(Uint8Array.of(5));
    file.finish();
    expect([...readFileSync(file.path)]).toEqual([1, 2, 3, 4, 5]);
  });

  test("is refused in one sentence where the folder is gone", async () => {
    const path = join(newFolder(), "gone", "x");
    expect(thrown(() => writeFileAtomic(path, "x"))).toBeInstanceOf(OutputError);
    await expect(replaceFile(path, "x")).rejects.toThrow(`${path}: cannot be written: the folder does not exist`);
  });

  test("is a whole folder or none, and half a one is removed", async () => {
    const root = newFolder();
    const out = join(root, "out");
    const full = writeFolder(out, async (partial) => {
      writeFileSync(join(partial, "x"), "half");
      throw errno("ENOSPC");
    });
    await expect(full).rejects.toThrow(`${out}: cannot be written: the disk is full`);
    expect(readdirSync(root)).toEqual([]);
  });
});

describe("what is written meanwhile", () => {
  test("lies where nobody can plant a link before it", () => {
    const names = Array.from({ length: 3 }, () => temporaryFor("x.png"));
    expect(new Set(names).size).toBe(3);
  });

  test("is cleared of what dead processes have left, once for a folder, and of nothing else", () => {
    const root = newFolder();
    const own = basename(temporaryFor(join(root, "x.png")));
    const kept = [own, own.replace(`-${process.pid}-`, `-${process.ppid}-`), ".x.png.123.tmp", "x.png.svanet.tmp"];
    const elsewhere = own.replace(/\.[0-9a-f]{8}-/, ".00000000-");
    const gone = own.replace(`-${process.pid}-`, `-${deadProcess()}-`);
    for (const name of [...kept, elsewhere, gone]) writeFileSync(join(root, name), "half");
    removeTemporaryFiles(root);
    expect(readdirSync(root).sort()).toEqual([...kept, elsewhere].sort());
    // Another machine's writer cannot be asked; after two days it is done.
    utimesSync(join(root, elsewhere), new Date(0), new Date(Date.now() - 48 * 3600 * 1000));
    removeTemporaryFiles(root);
    expect(readdirSync(root).sort()).toEqual([...kept].sort());
  });

  test.each([
    ["writeFileAtomic", (path: string) => writeFileAtomic(path, "x")],
    ["replaceFile", (path: string) => replaceFile(path, "x")],
    ["requireWritableFolder", (path: string) => requireWritableFolder(dirname(path))],
    ["writeSafetensors", (path: string) => writeSafetensors(path, new Map())],
  ] as const)("is cleared by the first that writes there (%s)", async (_, write) => {
    const root = newFolder();
    const left = join(root, basename(temporaryFor("x")).replace(`-${process.pid}-`, `-${deadProcess()}-`));
    writeFileSync(left, "half");
    await write(join(root, "new"));
    expect(existsSync(left)).toBe(false);
  });
});

test.each(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EMFILE", "EFBIG"])("%s has its own words and advice", (code) => {
  expect(reasonOf(errno(code))).toMatch(/^[^();]+.*; .+/);
  expect(writeFailure("x", errno(code))).toBeInstanceOf(OutputError);
});

test("a code without words of its own is still the system's, an error of ours is not", () => {
  expect(reasonOf(errno("ENODEV"))).toBe("the operating system refused it (ENODEV)");
  const ours = new TypeError("x is not a function");
  expect(writeFailure("x", ours)).toBe(ours);
});

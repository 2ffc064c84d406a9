import { createHash } from "node:crypto";
import { copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { DataError, UsageError } from "../../errors.ts";
import { makeInnerFolder } from "../../files/folder.ts";
import { writeFolder } from "../../files/new-folder.ts";
import { requireRegularFile } from "../../files/regular.ts";
import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import { packageInfo, packageRoot } from "../../package-info.ts";
import type { PageCache, PageManifest } from "../../page-manifest.ts";
import { saveCheckpoint } from "../checkpoint/checkpoint.ts";

/** What of the program a page is made of; `npm run build` puts it there. */
const PARTS = join(packageRoot, "dist", "browser", "page");

const WEIGHTS = "network.safetensors";
const EXAMPLES = "examples";
/** Pictures that every browser shows; others can be dropped on the page, but not offered with a small picture. */
const SHOWN: ReadonlySet<string> = new Set([".png", ".jpg", ".jpeg", ".webp"]);

/** A page to be written. */
export interface Page {
  /** Its heading. */
  readonly title: string;
  /** Weights as they are to be stored (`pageCheckpoint`). */
  readonly checkpoint: Checkpoint;
  /** Files of pictures to offer. */
  readonly examples: readonly string[];
}

/** A file of the page, and its length. */
interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
}

/** Throws UsageError where an example cannot be offered, before anything is computed. */
export function requireExamples(files: readonly string[]): void {
  for (const [at, file] of files.entries()) {
    const name = basename(file);
    if (!SHOWN.has(extname(file).toLowerCase())) {
      throw new UsageError(`--examples ${file}: give PNG, JPEG or WebP pictures`);
    }
    requireRegularFile(file);
    if (files.findIndex((other) => basename(other) === name) < at) {
      throw new UsageError(`--examples: two files are named ${name}; rename one`);
    }
  }
}

/**
 * Writes a page into the new folder `out`, whole or not at all: HTML, script, style, weights in a file of their own, a worker
 * that keeps all of them for use without a network. The HTML carries the script's hash, the script that of the weights, the
 * worker one of everything. Throws DataError where `out` holds something already, OutputError where it cannot be written.
 */
export function writePage(out: string, { title, checkpoint, examples }: Page): Promise<WrittenFile[]> {
  return writeFolder(out, async (folder) => {
    await saveCheckpoint(join(folder, WEIGHTS), checkpoint.tensors, checkpoint.facts);
    const offered = await copyExamples(folder, examples);
    const weights = await readFile(join(folder, WEIGHTS));
    const { width, height } = checkpoint.facts.config;
    const manifest: PageManifest = {
      title,
      version: packageInfo().version,
      weights: { file: WEIGHTS, bytes: weights.length, sha256: digest("sha256", weights).toString("hex") },
      size: { width, height },
      examples: offered,
    };
    const script = `globalThis.svanetPage=${JSON.stringify(manifest)};\n${await part("page.js")}`;
    const style = `${await part("page.css")}\n${await part("result.css")}`;
    await writeFile(join(folder, "page.js"), script);
    await writeFile(join(folder, "page.css"), style);
    await writeFile(join(folder, "icon.svg"), await part("icon.svg"));
    await writeFile(join(folder, "index.html"), pageHtml(await part("page.html"), { script, style }));
    const files = ["index.html", "page.js", "page.css", "icon.svg", WEIGHTS, ...offered];
    await writeFile(join(folder, "worker.js"), await workerScript(folder, files));
    return Promise.all(
      [...files, "worker.js"].map(async (name) => ({ name, bytes: await bytesOf(folder, decodeURIComponent(name)) })),
    );
  });
}

const digest = (kind: string, content: string | Uint8Array): Buffer => createHash(kind).update(content).digest();

const bytesOf = async (folder: string, name: string): Promise<number> => (await stat(join(folder, name))).size;

/** A file of the program that goes into every page. */
async function part(name: string): Promise<string> {
  try {
    return await readFile(join(PARTS, name), "utf8");
  } catch (error) {
    throw new DataError(`${join(PARTS, name)} is missing: this installation of svanet is not whole; install it anew`, {
      cause: error,
    });
  }
}

async function copyExamples(folder: string, examples: readonly string[]): Promise<string[]> {
  if (examples.length > 0) makeInnerFolder(join(folder, EXAMPLES));
  const names: string[] = [];
  for (const file of examples) {
    await copyFile(file, join(folder, EXAMPLES, basename(file)));
    names.push(`${EXAMPLES}/${encodeURIComponent(basename(file))}`);
  }
  return names;
}

/** The HTML with the hashes of what it loads: a browser runs nothing else. */
function pageHtml(html: string, { script, style }: { readonly script: string; readonly style: string }): string {
  const integrity = (content: string) => `integrity="sha384-${digest("sha384", content).toString("base64")}"`;
  return html
    .replace('href="page.css"', `href="page.css" ${integrity(style)}`)
    .replace('src="page.js"', `src="page.js" ${integrity(script)}`);
}

/** The worker with its list of files; the list's name changes with whatever changes in one of them. */
async function workerScript(folder: string, files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const name of files) hash.update(await readFile(join(folder, decodeURIComponent(name))));
  const cache: PageCache = { name: hash.digest("hex").slice(0, 16), files: ["./", ...files] };
  return `self.svanetCache=${JSON.stringify(cache)};\n${await part("worker.js")}`;
}

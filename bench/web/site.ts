import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type FileServer, fileServer } from "../../test/support/file-server.ts";
import type { Files } from "./networks.ts";
import { ENGINES, type Engine, ORT_SCRIPT, ORT_WASM, weightsFile } from "./setting.ts";

const { writeBundle } = (await import(new URL("../../scripts/bundles.mjs", import.meta.url).href)) as {
  writeBundle(
    bundle: { readonly name: string; readonly entry: string; readonly format: "es" },
    target: string,
  ): Promise<void>;
};

/** Where onnxruntime-web lies once it is installed. */
const ORT = new URL("node_modules/onnxruntime-web/dist/", import.meta.url);

const utf8 = new TextEncoder();

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** Shows nothing, but may ask for a GPU: what has no address of its own may not. */
export const EMPTY_PAGE = "empty.html";
export const pageFile = (engine: Engine): string => `${engine}.html`;
const scriptFile = (engine: Engine): string => `${engine}.js`;

/** The script that a page loads, and what that script loads in turn, which the page then asks for at once. */
const CODE: Readonly<Record<Engine, readonly string[]>> = {
  svanet: [scriptFile("svanet")],
  "onnxruntime-web": [scriptFile("onnxruntime-web"), ORT_SCRIPT, ORT_WASM],
};

/** A page for each engine with all its code: ours as one bundle, onnxruntime-web as it was published. */
export async function pageFiles(): Promise<Files> {
  const files = new Map<string, Uint8Array>([[EMPTY_PAGE, utf8.encode("<!doctype html>")]]);
  for (const name of [ORT_SCRIPT, ORT_WASM]) files.set(name, readFileSync(new URL(name, ORT)));
  const folder = mkdtempSync(join(tmpdir(), "svanet-bench-web-"));
  try {
    for (const engine of ENGINES) {
      await writeBundle({ name: engine, entry: `bench/web/pages/${engine}.ts`, format: "es" }, folder);
      files.set(scriptFile(engine), readFileSync(join(folder, scriptFile(engine))));
      files.set(pageFile(engine), utf8.encode(pageText(engine)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return files;
}

function pageText(engine: Engine): string {
  const preloads = CODE[engine]
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => `<link rel="modulepreload" href="${name}">`);
  const script = `<script type="module" src="${scriptFile(engine)}"></script>`;
  return ["<!doctype html>", "<title>bench:web</title>", '<link rel="icon" href="data:,">', ...preloads, script].join(
    "",
  );
}

/** Shows the files under their names on this machine, uncompressed. */
export function serveFiles(files: Files): Promise<FileServer> {
  return fileServer((request, response) => {
    const name = (request.url ?? "").slice(1).replace(/\?.*/, "");
    const bytes = files.get(name);
    if (bytes)
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(bytes);
    else response.writeHead(404).end();
  });
}

/** Bytes that an engine's page loads before its first mask. */
export interface Sizes {
  readonly code: number;
  readonly codeGzipped: number;
  readonly weights: number;
  readonly weightsGzipped: number;
}

/** What a visitor of an engine's page loads, without the picture: its code, and a network's weights. */
export function sizesOf(files: Files, engine: Engine, network: string): Sizes {
  const code = CODE[engine].map((name) => fileOf(files, name));
  const weights = fileOf(files, weightsFile(engine, network));
  const total = (parts: readonly Uint8Array[]) => parts.reduce((sum, { length }) => sum + length, 0);
  return {
    code: total(code),
    codeGzipped: total(code.map((bytes) => gzipSync(bytes))),
    weights: weights.length,
    weightsGzipped: gzipSync(weights).length,
  };
}

function fileOf(files: Files, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new Error(`the site has no ${name}`);
  return bytes;
}

/** The version of the installed onnxruntime-web. */
export function ortVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", ORT), "utf8")) as { version: string };
  return version;
}

export const HERE = fileURLToPath(new URL(".", import.meta.url));

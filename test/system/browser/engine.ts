import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { fileServer, serve } from "../../support/file-server.ts";
import { openPage, type Watched } from "./browser.ts";
import type { engine } from "./engine-page.ts";

type Engine = typeof engine;

interface Bundles {
  writeBundle(
    bundle: { readonly name: string; readonly entry: string; readonly format: "iife" | "es" },
    target: string,
  ): Promise<void>;
}

/** The script that bundles what browsers load. */
export const bundles: Bundles = await import(new URL("../../../scripts/bundles.mjs", import.meta.url).href);

/** The engine in a page of a browser. */
export interface EnginePage extends Pick<Watched, "errors" | "requests"> {
  /** Lets the page fetch the bytes; returns their address. */
  serve(bytes: Uint8Array): string;
  /** Calls a function of the page's engine. Throws what it throws. */
  call<K extends keyof Engine>(name: K, ...given: Parameters<Engine[K]>): ReturnType<Engine[K]>;
  close(): Promise<void>;
}

/** Bundles the engine of the tests and opens it in an empty page of the browser. */
export async function openEngine(browser: Browser): Promise<EnginePage> {
  const script = await bundledEngine();
  const files = new Map<string, Uint8Array>([["/engine.js", script]]);
  const server = await fileServer((request, response) => {
    const bytes = files.get(request.url ?? "");
    if (request.url === "/") {
      response
        .writeHead(200, { "content-type": "text/html" })
        .end('<title>engine</title><script src="engine.js"></script>');
    } else if (bytes) serve(bytes, request, response);
    else response.writeHead(404).end();
  });
  const { page, errors, requests, close } = await openPage(browser);
  await page.goto(server.address);
  return {
    errors,
    requests,
    serve(bytes) {
      const path = `/${files.size}`;
      files.set(path, bytes);
      return path;
    },
    call: ((name: string, ...given: unknown[]) =>
      page.evaluate(
        ([called, values]) => {
          const { bundle } = window as unknown as {
            bundle: { engine: Record<string, (...all: unknown[]) => unknown> };
          };
          return bundle.engine[called]?.(...values);
        },
        [name, given] as const,
      )) as EnginePage["call"],
    async close() {
      await close();
      await server.close();
    },
  };
}

async function bundledEngine(): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "svanet-"));
  try {
    const entry = fileURLToPath(new URL("engine-page.ts", import.meta.url));
    await bundles.writeBundle({ name: "engine", entry, format: "iife" }, folder);
    return readFileSync(join(folder, "engine.js"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

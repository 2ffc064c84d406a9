import { createReadStream, existsSync, realpathSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { UsageError } from "../errors.ts";

/** What browsers are told of files by their ending. */
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".json": "application/json",
};

/**
 * Answers requests with the files of a folder, `index.html` for the folder itself; 404 for whatever lies outside, by dots or
 * by links. Throws UsageError where there is no such folder, or no `index.html` in it.
 */
export function folderAnswers(folder: string): (request: IncomingMessage, response: ServerResponse) => void {
  if (!existsSync(join(folder, "index.html"))) {
    throw new UsageError(`${folder}: holds no page (index.html); svanet export web RUN --out ${folder} writes one`);
  }
  const root = realpathSync(folder);
  return ({ method, url = "/" }, response) => {
    const file = fileOf(root, url);
    if (file === undefined) {
      response.writeHead(404, { "content-type": "text/plain" }).end("404\n");
      return;
    }
    response.writeHead(200, {
      "content-type": TYPES[extname(file).toLowerCase()] ?? "application/octet-stream",
      "content-length": statSync(file).size,
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
    });
    if (method === "HEAD") response.end();
    else
      createReadStream(file)
        .on("error", () => response.destroy())
        .pipe(response);
  };
}

/** The file that an address means; undefined where it is none of the folder's. */
function fileOf(root: string, url: string): string | undefined {
  let path: string;
  try {
    path = decodeURIComponent(new URL(url, "http://127.0.0.1").pathname);
  } catch {
    return undefined; // no address at all
  }
  if (path.includes("\0")) return undefined;
  const named = join(root, path.endsWith("/") ? `${path}index.html` : path);
  if (!existsSync(named)) return undefined;
  const real = realpathSync(named);
  return real.startsWith(root + sep) && statSync(real).isFile() ? real : undefined;
}

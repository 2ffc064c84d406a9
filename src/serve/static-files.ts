import { createReadStream, existsSync, realpathSync, statSync } from "node:fs";
import { extname, join, sep } from "node:path";
import { UsageError } from "../errors.ts";
import { type Answer, refuse } from "./loopback.ts";

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
export function folderAnswers(folder: string): Answer {
  if (!existsSync(join(folder, "index.html"))) {
    throw new UsageError(`${folder}: holds no page (index.html); svanet export web RUN --out ${folder} writes one`);
  }
  const root = realpathSync(folder);
  return (path, response, { method }) => {
    const file = fileOf(root, path);
    if (file === undefined) return refuse(response, 404, "no such file is in the folder");
    response.writeHead(200, {
      "content-type": TYPES[extname(file).toLowerCase()] ?? "application/octet-stream",
      "content-length": statSync(file).size,
    });
    if (method === "HEAD") response.end();
    else
      createReadStream(file)
        .on("error", () => response.destroy())
        .pipe(response);
  };
}

/** The file that a decoded path means; undefined where it is none of the folder's. */
function fileOf(root: string, path: string): string | undefined {
  if (path.includes("\0")) return undefined;
  const named = join(root, path.endsWith("/") ? `${path}index.html` : path);
  if (!existsSync(named)) return undefined;
  const real = realpathSync(named);
  return real.startsWith(root + sep) && statSync(real).isFile() ? real : undefined;
}

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of package.json: this file lies one folder below it, as source and as build. */
export const packageRoot = fileURLToPath(new URL("..", import.meta.url));

/** The part of package.json that is reported in runs and by `--version`. */
interface PackageInfo {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Reads package.json; its dependency versions are exact. */
export function packageInfo(): PackageInfo {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as PackageInfo;
}

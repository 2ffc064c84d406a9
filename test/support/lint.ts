import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** All that the linter reads of this repository. */
const CONFIGURATION = ["biome.json", "biome.rooms.json", "scripts/lint"];

export interface Diagnostic {
  /** `lint/<group>/<rule>`, or `plugin`. */
  readonly category: string;
  readonly severity: string;
  readonly message: string;
  readonly location: { readonly path: string; readonly start: { readonly line: number } };
}

/** What our own configuration says of an imaginary repository with these files; of the rules in `only`, where given. */
export function lintFiles(files: Readonly<Record<string, string>>, only: readonly string[] = []): Diagnostic[] {
  const folder = mkdtempSync(join(tmpdir(), "svanet-lint-"));
  try {
    for (const name of CONFIGURATION) cpSync(join(root, name), join(folder, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
    const rules = only.map((rule) => `--only=${rule}`);
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [biome, "lint", ...rules, "--reporter=json", "--max-diagnostics=none", "."],
      { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 },
    );
    if (!stdout.startsWith("{")) throw new Error(stderr);
    return (JSON.parse(stdout) as { readonly diagnostics: readonly Diagnostic[] }).diagnostics.slice();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

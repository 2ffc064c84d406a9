import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FuzzTarget } from "./target.ts";
import { IMAGE_TARGETS } from "./targets/images.ts";
import { LAYOUT_TARGETS } from "./targets/layouts.ts";
import { RUN_TARGETS } from "./targets/runs.ts";
import { SCAN_TARGETS } from "./targets/scans.ts";
import { TEXT_TARGETS } from "./targets/texts.ts";
import { WEIGHTS_TARGETS } from "./targets/weights.ts";

/** Every parser of other people's files. */
export const TARGETS: readonly FuzzTarget[] = [
  ...IMAGE_TARGETS,
  ...SCAN_TARGETS,
  ...WEIGHTS_TARGETS,
  ...TEXT_TARGETS,
  ...LAYOUT_TARGETS,
  ...RUN_TARGETS,
];

const corpus = fileURLToPath(new URL("corpus/", import.meta.url));

/** Inputs that broke a promise once, or lead deep into a parser: corpus/TARGET/*, kept in the repository. */
export function kept({ name }: FuzzTarget): readonly Buffer[] {
  const folder = join(corpus, name);
  return existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(join(folder, file))) : [];
}

/** Writes docs/reference anew from the built commands. `npm run reference` builds first where that is due. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = (name) => import(new URL(`../dist/cli/${name}.js`, import.meta.url).href);
const { wholeProgram } = await built("whole-program");
const { referencePages } = await built("reference-pages");

const folder = join(root, "docs", "reference");
mkdirSync(folder, { recursive: true });
const pages = referencePages(await wholeProgram());
for (const name of readdirSync(folder)) if (!pages.has(name)) rmSync(join(folder, name));
for (const [name, text] of pages) writeFileSync(join(folder, name), text);
console.log(`written: ${pages.size} pages in docs/reference`);

/**
 * npm run licences: writes THIRD-PARTY.md, the licences of every package that an installation may bring along on any
 * platform, from the lock file. A licence that is not in ALLOWED is an error: somebody has to read it first.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const file = join(root, "THIRD-PARTY.md");

/** Licences that were read, and what each asks of whoever passes the package on. */
const ALLOWED = {
  MIT: "keep the notice",
  ISC: "keep the notice",
  "BSD-2-Clause": "keep the notice",
  "BSD-3-Clause": "keep the notice",
  "0BSD": "nothing",
  Zlib: "keep the notice in source, mark changes",
  "CC0-1.0": "nothing",
  Unlicense: "nothing",
  "Apache-2.0": "keep notice and licence text, state changes",
  "LGPL-3.0-or-later": "libvips, loaded as a shared library: keep it replaceable, offer its source",
};

/** Name, version, licence and whether it is for some platforms only, of every package that is no development tool. */
export function thirdParty() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const used = Object.entries(packages).filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional);
  return used
    .map(([path, { version, license, integrity, optional, hasInstallScript }]) => ({
      name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
      version,
      licence: license ?? "none given",
      integrity,
      optional: optional === true,
      installScript: hasInstallScript === true,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every part of an SPDX expression of `AND`s stands in ALLOWED. */
const isAllowed = (licence) =>
  licence
    .replace(/[()]/g, "")
    .split(" AND ")
    .every((part) => part in ALLOWED);

/** The content of THIRD-PARTY.md. Throws where a licence is not known. */
export function licenceTable() {
  const found = thirdParty();
  const unknown = found.filter(({ licence }) => !isAllowed(licence));
  if (unknown.length > 0) {
    const named = unknown.map(({ name, version, licence }) => `${name}@${version} (${licence})`);
    throw new Error(`licences that scripts/licences.mjs does not know: ${named.join(", ")}; read them, then add them`);
  }
  const rows = found.map(
    ({ name, version, licence, optional }) =>
      `| ${name} | ${version} | ${licence} | ${optional ? "some platforms" : "all"} |`,
  );
  const terms = Object.entries(ALLOWED).filter(([licence]) => found.some((one) => one.licence.includes(licence)));
  return `# Third-party packages

What \`npm install svanet\` brings along, from the lock file; \`npm run licences\` writes this page. svanet's own licence is MIT.

| licence | asks |
| --- | --- |
${terms.map(([licence, asks]) => `| ${licence} | ${asks} |`).join("\n")}

| package | version | licence | installed on |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}

export function isCurrent() {
  return readFileSync(file, "utf8") === licenceTable();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(file, licenceTable());
  console.log(`${join(dirname(file), "THIRD-PARTY.md")} is written`);
}

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { packageInfo } from "../../src/package-info.ts";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly installScript: boolean;
}
const { isCurrent, thirdParty } = (await import(new URL("../../scripts/licences.mjs", import.meta.url).href)) as {
  isCurrent(): boolean;
  thirdParty(): readonly Package[];
};

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What an npm command prints as JSON. */
function npm(...args: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync("npm", args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm ${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

test("THIRD-PARTY.md lists the licences of the lock file: else run npm run licences", () => {
  expect(isCurrent()).toBe(true);
  const names = thirdParty().map(({ name }) => name);
  for (const name of Object.keys(packageInfo().dependencies)) expect(names).toContain(name);
  expect(names).not.toContain("vitest");
});

test("one package brings an install script, whose work is not needed; versions are exact", () => {
  expect(thirdParty().flatMap(({ name, installScript }) => (installScript ? [name] : []))).toEqual(["webgpu"]);
  for (const version of Object.values(packageInfo().dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  const { packages } = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8")) as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
  };
  for (const [path, { resolved, integrity }] of Object.entries(packages)) {
    if (path === "") continue;
    // Without an address npm asks the registry in use; the hash decides either way.
    expect(resolved ?? "https://registry.npmjs.org/", path).toMatch(/^https:\/\/registry\.npmjs\.org\//);
    expect(integrity, path).toMatch(/^sha512-/);
  }
});

test("the package holds the built code, its types, the doctor's numbers, pages, examples and licences, nothing else", () => {
  const [packed] = npm("pack", "--dry-run", "--json", "--ignore-scripts") as {
    files: { path: string }[];
    unpackedSize: number;
  }[];
  const paths = (packed?.files ?? []).map(({ path }) => path);
  const pages = ["ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "README", "SECURITY", "THIRD-PARTY", "bench/README"];
  const documents = ["LICENSE", "CITATION.cff", "package.json", ...pages.map((name) => `${name}.md`)];
  const allowed = [
    /^dist\/[\w/.-]+\.(js|d\.ts)$/,
    /^dist\/fixtures\/ops\/\w+\.safetensors$/,
    /^dist\/browser\/[\w/.-]+\.(css|html|svg)$/,
    /^docs\/([\w-]+\/)?[\w-]+\.(md|png|svg)$/,
    /^examples\/[\w-]+\.ts$/,
    /^dist\/experiment\/study\/paper-tables\.json$/,
  ];
  const strange = paths.filter((path) => !documents.includes(path) && !allowed.some((kind) => kind.test(path)));
  expect(strange).toEqual([]);
  for (const path of [...documents, "dist/cli/main.js", "dist/index.d.ts"]) expect(paths).toContain(path);
  expect(paths.filter((path) => /(^|\/)(test|fuzz|src)/.test(path))).toEqual([]);
  expect(packed?.unpackedSize).toBeLessThan(8e6);
});

test("the bill of materials is CycloneDX and names what the licences name", () => {
  const bill = npm("run", "-s", "sbom") as {
    bomFormat: string;
    components: { name: string; version: string; hashes: { content: string }[] }[];
  };
  expect(bill.bomFormat).toBe("CycloneDX");
  const named = (packages: readonly { name: string; version: string }[]) =>
    [...new Set(packages.map(({ name, version }) => `${name}@${version}`))].sort();
  expect(named(bill.components)).toEqual(named(thirdParty()));
  for (const name of Object.keys(packageInfo().dependencies)) {
    const hash = bill.components.find((one) => one.name === name)?.hashes[0]?.content;
    expect(hash).toMatch(/^[0-9a-f]{128}$/);
  }
});

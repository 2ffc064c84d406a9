/**
 * Obtains a software Vulkan driver (Mesa's lavapipe) on Debian and Ubuntu: installed by apt for root, unpacked into a
 * cache folder for everyone else. Debian 12's own Mesa 22.3 is refused by Dawn, so there it comes from
 * bookworm-backports.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { driverCache, readAnyRecord, writeRecord } from "./environment.mjs";
import { loadOrder } from "./load-order.mjs";

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const BACKPORTS = "bookworm-backports";
/** Every process has these already (node itself is linked to them), and a second C library in one process is fatal. */
const NEVER_UNPACK = /^(libc6|libgcc-s1|libstdc\+\+6|gcc-\d+-base|libcrypt1|libdrm-common|libx11-data)$/;

/** Which way to a driver this machine has: `{ kind: "apt", backports }`, or `{ kind: "sentence", text }`. */
export function driverPlan(osRelease = readOsRelease()) {
  const family = [osRelease.ID, ...(osRelease.ID_LIKE ?? "").split(" ")];
  if (osRelease.ID === "debian" && Number(osRelease.VERSION_ID) < 12) {
    return { kind: "sentence", text: "Debian 12 or later is needed: the Vulkan driver of older ones is too old." };
  }
  if (family.includes("debian") || family.includes("ubuntu")) {
    return { kind: "apt", backports: osRelease.VERSION_CODENAME === "bookworm" };
  }
  const install = family.some((id) => ["fedora", "rhel", "centos"].includes(id))
    ? "sudo dnf install mesa-vulkan-drivers vulkan-loader"
    : family.includes("arch")
      ? "sudo pacman -S vulkan-swrast vulkan-icd-loader"
      : family.some((id) => ["suse", "opensuse"].includes(id))
        ? "sudo zypper install libvulkan_lvp libvulkan1"
        : "your system's Vulkan loader and Mesa's Vulkan drivers (version 23 or later, with lavapipe)";
  return { kind: "sentence", text: `Install a Vulkan driver first: ${install}.` };
}

/** Installs the driver system-wide. Needs root. */
export function installWithApt(backports, say) {
  if (backports && !sourcesText("/etc/apt").includes(BACKPORTS)) {
    const file = "/etc/apt/sources.list.d/svanet-backports.list";
    say(`adding ${BACKPORTS} to apt (${file}): Debian 12's own driver is too old`);
    writeFileSync(file, backportsLine(sourcesText("/etc/apt")));
  }
  aptInstall(PACKAGES, say, target(backports));
}

/** Installs packages system-wide, waiting for another apt. Needs root. */
export function aptInstall(packages, say, options = []) {
  const lock = ["-o", "DPkg::Lock::Timeout=120"];
  apt(["update", ...lock]);
  say(`apt-get install ${packages.join(" ")}`);
  apt(["install", "-y", "--no-install-recommends", ...lock, ...options, ...packages]);
}

/**
 * Downloads and unpacks the driver and every library it needs into the cache folder, without root and without touching
 * apt's own state: private package lists, private sources, an empty list of installed packages.
 */
export function unpackWithoutRoot(backports, say) {
  const cache = driverCache();
  const work = `${cache}.partial-${process.pid}`;
  for (const folder of ["lists/partial", "archives/partial", "sources", "debs", "root"]) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  try {
    const state = privateApt(work, backports);
    say("reading package lists");
    apt(["update", ...state]);
    const packages = neededPackages(state, backports);
    say(`downloading ${packages.length} packages (about 55 MB) into ${cache}`);
    apt(["download", ...state, ...packages], join(work, "debs"));
    for (const deb of readdirSync(join(work, "debs")))
      command("dpkg", ["-x", join(work, "debs", deb), join(work, "root")]);
    rmSync(cache, { recursive: true, force: true });
    keepLibraries(join(work, "root"), join(cache, "lib"));
    recordDriver(cache, packages);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Uses a driver that another host of the same home folder has unpacked; false when there is none. */
export function adoptUnpacked() {
  const record = readAnyRecord();
  if (record === undefined || !record.libraries.every((file) => existsSync(file))) return false;
  writeRecord({ ...record, hosts: [...new Set([...record.hosts, hostname()])] });
  return true;
}

function recordDriver(cache, packages) {
  const lib = join(cache, "lib");
  const icd = join(cache, "lavapipe.json");
  const driver = join(lib, "libvulkan_lvp.so");
  if (!existsSync(driver)) throw new Error(`the package mesa-vulkan-drivers has no ${basename(driver)}`);
  writeFileSync(
    icd,
    JSON.stringify({ ICD: { api_version: "1.3.0", library_path: driver }, file_format_version: "1.0.0" }),
  );
  writeRecord({
    hosts: [hostname()],
    // Loaders before 1.3.207 know the second name only.
    variables: { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: lib },
    libraries: loadOrder(lib),
    driver: packages.find((name) => name.startsWith(PACKAGES[0])),
  });
}

/** Copies the shared libraries into one flat folder, and no Vulkan driver but lavapipe. */
function keepLibraries(root, lib) {
  mkdirSync(lib, { recursive: true });
  for (const base of ["usr/lib", "lib"]) {
    const folders = existsSync(join(root, base))
      ? readdirSync(join(root, base)).filter((n) => n.includes("-linux-"))
      : [];
    for (const folder of folders) {
      for (const file of readdirSync(join(root, base, folder))) {
        const isOtherDriver = file.startsWith("libvulkan_") && file !== "libvulkan_lvp.so";
        if (!/\.so(\.|$)/.test(file) || isOtherDriver) continue;
        cpSync(join(root, base, folder, file), join(lib, file), { recursive: true, verbatimSymlinks: true });
      }
    }
  }
}

function neededPackages(state, backports) {
  const plan = apt(["install", "-s", "-y", "--no-install-recommends", ...state, ...target(backports), ...PACKAGES]);
  const needed = [...plan.matchAll(/^Inst (\S+) \((\S+)/gm)].map(([, name, version]) => ({ name, version }));
  return needed.filter(({ name }) => !NEVER_UNPACK.test(name)).map(({ name, version }) => `${name}=${version}`);
}

function privateApt(work, backports) {
  const sources = join(work, "sources");
  for (const file of sourceFiles("/etc/apt")) cpSync(file, join(sources, basename(file)));
  const text = sourcesText("/etc/apt");
  if (backports && !text.includes(BACKPORTS))
    writeFileSync(join(sources, "svanet-backports.list"), backportsLine(text));
  writeFileSync(join(work, "status"), "");
  const options = {
    "Dir::State::lists": join(work, "lists"),
    "Dir::State::status": join(work, "status"),
    "Dir::Cache": work,
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": sources,
  };
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

function target(backports) {
  return backports ? ["-t", BACKPORTS] : [];
}

/** The mirror this machine already uses for bookworm, so that a private mirror or proxy keeps working. */
export function backportsLine(sources) {
  const oneLine = /^deb\s+(?:\[[^\]]*\]\s+)?(https?:\S+)\s+bookworm\s/m.exec(sources)?.[1];
  const stanza = sources.split(/\n\s*\n/).find((text) => /^Suites:.*\bbookworm(\s|$)/m.test(text));
  const mirror = oneLine ?? /^URIs:\s*(https?:\S+)/m.exec(stanza ?? "")?.[1] ?? "http://deb.debian.org/debian";
  return `deb ${mirror} ${BACKPORTS} main\n`;
}

function sourceFiles(etc) {
  const parts = join(etc, "sources.list.d");
  const inParts = existsSync(parts) ? readdirSync(parts).filter((name) => /\.(list|sources)$/.test(name)) : [];
  return [join(etc, "sources.list"), ...inParts.map((name) => join(parts, name))].filter((file) => existsSync(file));
}

/** Every source apt reads, comments and whole-line remarks left out. */
function sourcesText(etc) {
  const lines = sourceFiles(etc).map((file) => readFileSync(file, "utf8").replace(/^\s*#.*\n?/gm, ""));
  return lines.join("\n\n");
}

function apt(args, cwd = "/") {
  return command("apt-get", args, cwd);
}

function command(name, args, cwd = "/") {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const result = spawnSync(name, args, { cwd, env, encoding: "utf8", maxBuffer: 1 << 26 });
  if (result.status === 0) return result.stdout;
  const said = `${result.error?.message ?? ""}\n${result.stderr ?? ""}`.trim().split("\n").slice(-6).join("\n");
  throw new Error(`${name} ${args.find((word) => !word.startsWith("-")) ?? ""} failed:\n${said}`);
}

function readOsRelease() {
  const file = ["/etc/os-release", "/usr/lib/os-release"].find((path) => existsSync(path));
  const text = file === undefined ? "" : readFileSync(file, "utf8");
  return Object.fromEntries([...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, key, value]) => [key, value]));
}

/**
 * What the system tests need beyond Node, and where it comes from. A further need is one more entry of the list.
 */
import { existsSync, readFileSync } from "node:fs";

/**
 * `name`: what is needed; `packages`: where Debian has it; `variable`: names the file to the tests, and lets a person who
 * has it elsewhere say so; `files`: where it is looked for.
 */
export const NEEDS = [
  {
    name: "SwiftShader, the Vulkan driver of Chromium",
    packages: ["chromium"],
    variable: "SVANET_SWIFTSHADER_ICD",
    files: ["/usr/lib/chromium/vk_swiftshader_icd.json"],
  },
  {
    name: "Chromium",
    packages: ["chromium"],
    variable: "SVANET_CHROMIUM",
    files: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
  },
  ...JSON.parse(readFileSync(new URL("../bench/isa/needs.json", import.meta.url), "utf8")),
];

/** The file that answers a need on this machine, or undefined. */
export function fileOf(need, env = process.env, exists = existsSync) {
  return [env[need.variable], ...need.files].find((file) => file && exists(file));
}

/** What to do about needs that nothing answers: `{ kind: "none" | "install", packages }` or `{ kind: "sentence", text }`. */
export function systemPlan(missing, { root, apt, forbidden }) {
  if (missing.length === 0) return { kind: "none", packages: [] };
  const packages = [...new Set(missing.flatMap((need) => need.packages))];
  if (apt && root && !forbidden) return { kind: "install", packages };
  const names = missing.map((need) => `${need.name} (${need.variable} may name its file)`).join(", ");
  const why = forbidden ? ", and SVANET_NO_SYSTEM_INSTALL=1 forbids installing" : "";
  return {
    kind: "sentence",
    text: `missing: ${names}${why}. On Debian, as root: apt-get install --no-install-recommends ${packages.join(" ")}`,
  };
}

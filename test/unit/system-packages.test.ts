import { describe, expect, test } from "vitest";

// Plain JavaScript, as all of set-up.
const { fileOf, NEEDS, systemPlan } = await import(new URL("../../scripts/system-packages.mjs", import.meta.url).href);

describe("what the system tests need", () => {
  const [need] = NEEDS;
  const root = { root: true, apt: true, forbidden: false };

  test("is looked for where Debian puts it, and first where the person says it is", () => {
    const [usual] = need.files;
    expect(fileOf(need, {}, (file: string) => file === usual)).toBe(usual);
    expect(fileOf(need, { [need.variable]: "/mine" }, () => true)).toBe("/mine");
    expect(fileOf(need, {}, () => false)).toBeUndefined();
  });

  test("is installed by root with apt, and only when it is missing", () => {
    expect(systemPlan([], root)).toEqual({ kind: "none", packages: [] });
    expect(systemPlan([need, { ...need, name: "another" }], root)).toEqual({ kind: "install", packages: ["chromium"] });
  });

  test.each([
    { root: false, apt: true, forbidden: false },
    { root: true, apt: false, forbidden: false },
    { root: true, apt: true, forbidden: true },
  ])("is named with the way to it for %o", (machine) => {
    const { kind, text } = systemPlan([need], machine);
    expect(kind).toBe("sentence");
    expect(text).toContain(
      "missing: SwiftShader, the Vulkan driver of Chromium (SVANET_SWIFTSHADER_ICD may name its file)",
    );
    expect(text).toContain("apt-get install --no-install-recommends chromium");
    expect(text.includes("SVANET_NO_SYSTEM_INSTALL=1 forbids installing")).toBe(machine.forbidden);
  });

  test("names a variable, a package and a file for each need", () => {
    for (const { name, packages, variable, files } of NEEDS) {
      expect([name.length, packages.length, files.length].every((count: number) => count > 0)).toBe(true);
      expect(variable).toMatch(/^SVANET_[A-Z_]+$/);
    }
  });
});

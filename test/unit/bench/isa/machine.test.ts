import { expect, test } from "vitest";
import { findTools } from "../../../../bench/isa/machine.ts";

const RADV = "/usr/share/vulkan/icd.d/radeon_icd.json";
const LINUX = { env: {}, platform: "linux" } as const;

test("the compiler's files are found where Debian puts them, and first where a person says they are", () => {
  const here = (file: string) => ["/usr/bin/gcc", "/usr/include/vulkan/vk_layer.h", RADV].includes(file);
  expect(findTools(LINUX, here)).toEqual({ gcc: "/usr/bin/gcc", radv: RADV });
  const mine = { ...LINUX, env: { SVANET_RADV_ICD: "/mine.json" } };
  expect(findTools(mine, (file) => here(file) || file === "/mine.json").radv).toBe("/mine.json");
});

test("what is missing is named with the packages that have it", () => {
  expect(() => findTools(LINUX, (file) => file === RADV)).toThrow(
    "bench:isa lacks a C compiler (SVANET_GCC may name its file), Vulkan's headers (SVANET_VULKAN_LAYER_H may name its " +
      "file). On Debian, as root: apt-get install --no-install-recommends gcc libc6-dev libvulkan-dev",
  );
});

test("a file that a person names and that is not there is not passed over", () => {
  const mine = { ...LINUX, env: { SVANET_GCC: "/none" } };
  expect(() => findTools(mine, (file) => file !== "/none")).toThrow(
    "SVANET_GCC names /none as a C compiler, and there is no such file",
  );
});

test("another system is told that this needs Linux", () => {
  expect(() => findTools({ env: {}, platform: "darwin" }, () => true)).toThrow("for Linux only, and this is darwin");
});

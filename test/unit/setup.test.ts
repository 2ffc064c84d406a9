import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { readDriverRecord } from "../../src/platform/node/driver-environment.ts";

// Set-up is plain JavaScript: it runs before anything is installed or built.
const script = (name: string) => import(new URL(`../../scripts/${name}.mjs`, import.meta.url).href);
const { driverPlan, backportsLine } = await script("driver");
const { readRecord, driverEnvironment, forgetThisHost } = await script("environment");

describe("the way to a driver", () => {
  test("Debian 12 needs backports, later releases and Ubuntu's family their own packages", () => {
    const bookworm = { ID: "debian", VERSION_ID: "12", VERSION_CODENAME: "bookworm" };
    expect(driverPlan(bookworm)).toEqual({ kind: "apt", backports: true });
    const trixie = { ID: "debian", VERSION_ID: "13", VERSION_CODENAME: "trixie" };
    expect(driverPlan(trixie)).toEqual({ kind: "apt", backports: false });
    expect(driverPlan({ ID: "linuxmint", ID_LIKE: "ubuntu debian" })).toEqual({ kind: "apt", backports: false });
  });

  test("other systems get one sentence", () => {
    expect(driverPlan({ ID: "fedora" }).text).toBe(
      "Install a Vulkan driver first: sudo dnf install mesa-vulkan-drivers vulkan-loader.",
    );
    expect(driverPlan({ ID: "debian", VERSION_ID: "11" }).text).toContain("Debian 12 or later");
    expect(driverPlan({}).text).toContain("with lavapipe");
  });

  test("backports come from the mirror the machine uses", () => {
    const oneLine = "deb [arch=amd64] http://mirror.example/debian bookworm main\n";
    expect(backportsLine(oneLine)).toBe("deb http://mirror.example/debian bookworm-backports main\n");
    const stanzas = [
      "Types: deb\nURIs: http://security.example/debian\nSuites: bookworm-security",
      "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates",
    ];
    expect(backportsLine(stanzas.join("\n\n"))).toBe("deb http://mirror.example/debian bookworm-backports main\n");
    expect(backportsLine("")).toBe("deb http://deb.debian.org/debian bookworm-backports main\n");
  });
});

describe("the record of an unpacked driver", () => {
  afterEach(() => vi.unstubAllEnvs());

  function record(hosts: readonly string[]) {
    const cache = mkdtempSync(join(tmpdir(), "svanet-"));
    vi.stubEnv("XDG_CACHE_HOME", cache);
    mkdirSync(join(cache, "svanet", "vulkan"), { recursive: true });
    const content = {
      hosts,
      variables: { VK_DRIVER_FILES: "/icd", LD_LIBRARY_PATH: "/lib" },
      libraries: [],
      driver: "x",
    };
    writeFileSync(join(cache, "svanet", "vulkan", ".svanet-env.json"), JSON.stringify(content));
    return content;
  }

  test("set-up and the command line read it alike", () => {
    const written = record([hostname()]);
    expect(readRecord()).toEqual(written);
    expect(readDriverRecord()).toEqual(written);
  });

  test("it does not count on other hosts, nor on one that was taken off", () => {
    record(["elsewhere"]);
    expect([readRecord(), readDriverRecord()]).toEqual([undefined, undefined]);
    record([hostname(), "elsewhere"]);
    forgetThisHost();
    expect([readRecord(), readDriverRecord()]).toEqual([undefined, undefined]);
  });

  test("a driver that the person chose stays; library paths are put in front", () => {
    const written = record([hostname()]);
    expect(driverEnvironment(written, { VK_DRIVER_FILES: "/mine" })).toEqual({ VK_DRIVER_FILES: "/mine" });
    expect(driverEnvironment(written, { LD_LIBRARY_PATH: "/a" })).toMatchObject({
      VK_DRIVER_FILES: "/icd",
      LD_LIBRARY_PATH: "/lib:/a",
    });
  });
});

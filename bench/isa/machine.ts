import { existsSync, readFileSync } from "node:fs";
import { SvanetError } from "../../src/errors.ts";

/** The files of this machine by which the compiler is reached. */
export interface Tools {
  /** C compiler. */
  readonly gcc: string;
  /** Description of RADV, Mesa's driver for Radeons, to the Vulkan loader. */
  readonly radv: string;
}

interface Need {
  readonly name: string;
  /** Where Debian has it. */
  readonly packages: readonly string[];
  /** Names its file where it lies elsewhere. */
  readonly variable: string;
  readonly files: readonly string[];
}

/** scripts/system-packages.mjs installs them for the system tests. */
const NEEDS = JSON.parse(readFileSync(new URL("needs.json", import.meta.url), "utf8")) as readonly Need[];

/** The compiler's files; SvanetError that says what to install where one is missing, or that this is no Linux. */
export function findTools(
  { env, platform }: Pick<NodeJS.Process, "env" | "platform"> = process,
  exists: (file: string) => boolean = existsSync,
): Tools {
  if (platform !== "linux") {
    throw new SvanetError(
      `bench:isa compiles by RADV, which Mesa has for Linux only, and this is ${platform}: run it on Linux (a container will do)`,
    );
  }
  const found = new Map(
    NEEDS.map(({ name, variable, files }) => {
      const named = env[variable];
      if (named !== undefined && !exists(named)) {
        throw new SvanetError(
          `${variable} names ${named} as ${name}, and there is no such file: correct it or leave it out`,
        );
      }
      return [variable, named ?? files.find(exists)];
    }),
  );
  const missing = NEEDS.filter(({ variable }) => found.get(variable) === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ name, variable }) => `${name} (${variable} may name its file)`).join(", ");
    const packages = missing.flatMap((need) => need.packages).join(" ");
    throw new SvanetError(
      `bench:isa lacks ${names}. On Debian, as root: apt-get install --no-install-recommends ${packages}`,
    );
  }
  return { gcc: found.get("SVANET_GCC") ?? "", radv: found.get("SVANET_RADV_ICD") ?? "" };
}

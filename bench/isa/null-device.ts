import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SvanetError } from "../../src/errors.ts";
import type { Family } from "./chips.ts";
import { type Shown, shownBy } from "./hot-loop.ts";
import type { Tools } from "./machine.ts";

/** A kernel's text and what it is called. */
export interface Source {
  readonly label: string;
  readonly wgsl: string;
}

/** What AMD's compiler made of a kernel. */
export interface Compiled extends Source, Shown {
  readonly family: Family;
  /** Lanes of a wave. */
  readonly wave: number;
  readonly registers: number;
  /** Registers that do not fit and live in memory. */
  readonly spills: number;
  /** Bytes of memory an invocation gets in place of registers. */
  readonly scratch: number;
  /** Bytes of workgroup memory, as the compiler rounds them. */
  readonly lds: number;
  /** Waves of 32 lanes that fit on a vector unit. */
  readonly residentWaves: number;
}

export interface Compilation {
  /** Name and version as the driver tells them. */
  readonly driver: string;
  /** One a kernel, in their order. */
  readonly kernels: readonly Compiled[];
}

export const byText = (kernels: readonly Compiled[]): ReadonlyMap<string, Compiled> =>
  new Map(kernels.map((kernel) => [kernel.wgsl, kernel]));

const HERE = fileURLToPath(new URL(".", import.meta.url));
const LAYER = "VK_LAYER_svanet_isa";

/** A folder with the layer that lets Dawn open RADV without hardware. `work` may use it; it is removed behind it unless named. */
export async function withLayer<R>(
  tools: Tools,
  named: string | null,
  work: (folder: string) => Promise<R>,
): Promise<R> {
  const folder = named ?? mkdtempSync(join(tmpdir(), "svanet-isa-"));
  mkdirSync(folder, { recursive: true });
  try {
    const library = join(folder, "libisa.so");
    const built = spawnSync(tools.gcc, ["-O1", "-shared", "-fPIC", "-o", library, join(HERE, "layer.c")], {
      encoding: "utf8",
    });
    if (built.status !== 0) throw new SvanetError(`${tools.gcc} could not build bench/isa/layer.c: ${built.stderr}`);
    const layer = {
      ...{ name: LAYER, type: "GLOBAL", library_path: library, api_version: "1.3.0", implementation_version: "1" },
      description: "RADV without hardware",
    };
    writeFileSync(join(folder, "isa.json"), JSON.stringify({ file_format_version: "1.0.0", layer }));
    return await work(folder);
  } finally {
    if (named === null) rmSync(folder, { recursive: true, force: true });
  }
}

/** Compiles kernels for a family in a child. Throws an error with the compiler's words where it refuses one. */
export async function compileFor(
  family: Family,
  kernels: readonly Source[],
  { tools, folder }: { readonly tools: Tools; readonly folder: string },
): Promise<Compilation> {
  const out = join(folder, family);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  const list = join(out, "kernels.jsonl");
  writeFileSync(list, kernels.map(({ label, wgsl }) => JSON.stringify({ label, wgsl })).join("\n"));
  const { driver, errors } = await runChild(list, {
    ...process.env,
    ISA_OUT: out,
    VK_LAYER_PATH: folder,
    VK_INSTANCE_LAYERS: LAYER,
    RADV_FORCE_FAMILY: family,
    // Loaders before 1.3.207 know the second name only.
    VK_DRIVER_FILES: tools.radv,
    VK_ICD_FILENAMES: tools.radv,
  });
  for (const [i, { label }] of kernels.entries()) {
    const error = errors[i];
    if (error !== null)
      throw new SvanetError(`${label} does not compile for ${family}: ${error ?? "the compiler stopped"}`);
  }
  const made = readFileSync(join(out, "pipelines.jsonl"), "utf8").trim().split("\n");
  if (made.length !== kernels.length)
    throw new SvanetError(`${made.length} of ${kernels.length} kernels were reported for ${family}`);
  return { driver, kernels: kernels.map((kernel, i) => resultOf(kernel, family, out, made[i] ?? "", i)) };
}

interface Told {
  readonly driver: string;
  readonly errors: readonly (string | null)[];
}

function runChild(list: string, env: NodeJS.ProcessEnv): Promise<Told> {
  const child = spawn(process.execPath, ["--import", "tsx", join(HERE, "compile-child.ts"), list], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const lines = out.split("\n").filter((line) => line.startsWith("{"));
      const [first, ...rest] = lines.map((line) => JSON.parse(line) as { driver?: string; error?: string | null });
      if (first?.driver === undefined || code !== 0) {
        const last = err.trim().split("\n").at(-1) ?? "";
        reject(
          new SvanetError(
            `Dawn could not compile on RADV's device without hardware (${signal ?? `exit code ${code}`}): ${last}`,
          ),
        );
      } else resolve({ driver: first.driver, errors: rest.map(({ error }) => error ?? null) });
    });
  });
}

function resultOf(source: Source, family: Family, folder: string, line: string, i: number): Compiled {
  const { wave, stats } = JSON.parse(line) as {
    readonly wave: number;
    readonly stats: Readonly<Record<string, number>>;
  };
  const told = (name: string): number => {
    const value = stats[name];
    if (value === undefined) throw new SvanetError(`this Mesa's RADV tells no "${name}" of a kernel; 23.1 to 25.0 do`);
    return value;
  };
  return {
    ...source,
    family,
    wave,
    registers: told("VGPRs"),
    spills: told("Spilled VGPRs") + told("Spilled SGPRs"),
    scratch: told("Scratch size"),
    lds: told("LDS size"),
    residentWaves: told("Subgroups per SIMD"),
    ...shownBy(readFileSync(join(folder, `${i}.s`), "utf8"), wave, family),
  };
}

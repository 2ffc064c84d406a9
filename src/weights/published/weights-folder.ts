import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** What decides where weights are kept: of this process, unless a test says otherwise. */
export interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const here = (): Surroundings => ({ platform: process.platform, home: homedir(), env: process.env });

/**
 * The folder of published weights where no `--weights-dir` names one: `svanet/weights` in the user's caches, which are
 * XDG_CACHE_HOME where that is set (an absolute path, as its specification asks), else the system's own place.
 */
export function weightsFolder({ platform, home, env }: Surroundings = here()): string {
  const chosen = env["XDG_CACHE_HOME"] ?? "";
  if (isAbsolute(chosen)) return join(chosen, "svanet", "weights");
  if (platform === "darwin") return join(home, "Library", "Caches", "svanet", "weights");
  if (platform === "win32") return join(env["LOCALAPPDATA"] || join(home, "AppData", "Local"), "svanet", "weights");
  return join(home, ".cache", "svanet", "weights");
}

/** Where PyTorch keeps what it fetched (torch.hub): files that lie there are read, nothing is written. */
export function torchFolder({ home, env }: Surroundings = here()): string {
  const torch = env["TORCH_HOME"] || join(env["XDG_CACHE_HOME"] || join(home, ".cache"), "torch");
  return join(torch, "hub", "checkpoints");
}

import { spawn } from "node:child_process";
import { DeviceError } from "../errors.ts";
import type { NetworkConfig } from "../model/zoo.ts";
import { openDevice } from "../platform/node/open-device.ts";
import { prepareTraining } from "./training.ts";

export interface StartUp {
  /** From the start of the process to the end of the first training step. */
  readonly seconds: number;
  /** Of which opening the adapter, compiling and binding, and the first step, in which drivers finish compiling. */
  readonly openSeconds: number;
  readonly compileSeconds: number;
  readonly stepSeconds: number;
  readonly secondStepSeconds: number;
  readonly pipelines: number;
  readonly dispatches: number;
}

/** In a fresh process: the time to the end of a first training step, shader compilation included. */
export async function startUpHere(adapter: string | undefined, config: NetworkConfig, batch: number): Promise<StartUp> {
  const seconds = () => performance.now() / 1000;
  const device = await openDevice({ adapter });
  const opened = seconds();
  const bench = await prepareTraining(device, config, { batch });
  const compiled = seconds();
  await bench.step(0);
  const stepped = seconds();
  await bench.step(1);
  const result = {
    // performance.now counts from the start of the process.
    seconds: stepped,
    openSeconds: opened,
    compileSeconds: compiled - opened,
    stepSeconds: stepped - compiled,
    secondStepSeconds: seconds() - stepped,
    pipelines: device.pipelineCount,
    dispatches: bench.program.dispatches.length,
  };
  bench.destroy();
  device.close();
  return result;
}

/** Runs `args` of this very command in a fresh process without any driver's shader cache; it prints a `StartUp`. */
export async function startUpAfresh(args: readonly string[]): Promise<StartUp> {
  const env = { ...process.env, MESA_SHADER_CACHE_DISABLE: "true", __GL_SHADER_DISK_CACHE: "0" };
  const [, main = ""] = process.argv;
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new DeviceError(`the fresh process ended with code ${String(code)}`);
  return JSON.parse(text) as StartUp;
}

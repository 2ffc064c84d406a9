import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, float32, parseSafetensors, storeFloat32 } from "../../src/weights/safetensors.ts";

const golden = fileURLToPath(new URL("../fixtures/ops/", import.meta.url));

/** Copies golden op files to `folder`/ops and moves one number of `tensor` in the first of them. */
export async function spoiltOps(folder: string, files: readonly string[], tensor: string): Promise<string> {
  const ops = join(folder, "ops");
  await mkdir(ops, { recursive: true });
  for (const file of files) await cp(join(golden, file), join(ops, basename(file)));
  const [first = ""] = files;
  const path = join(ops, first);
  const { tensors, metadata } = parseSafetensors(new Uint8Array(await readFile(path)), path);
  const found = tensors.get(tensor);
  if (!found) throw new Error(`${path} has no ${tensor}: ${[...tensors.keys()].join(", ")}`);
  const data = float32(found).slice();
  data[3] = (data[3] ?? 0) + 0.5;
  tensors.set(tensor, storeFloat32(data, found.shape));
  await writeFile(path, encodeSafetensors(tensors, metadata));
  return ops;
}

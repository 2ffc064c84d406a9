import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, float32, parseSafetensors, storeFloat32 } from "../../src/weights/safetensors.ts";

const golden = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** Copies golden op files to `folder`/ops and moves one number of `tensor` in the first of them. */
export const spoiltOps = (folder: string, files: readonly string[], tensor: string): Promise<string> =>
  spoilt("ops", folder, files, tensor);

/** As {@link spoiltOps}, for golden files of any kind. */
export async function spoilt(kind: string, folder: string, files: readonly string[], tensor: string): Promise<string> {
  const copies = join(folder, kind);
  await mkdir(copies, { recursive: true });
  for (const file of files) await cp(join(golden, kind, file), join(copies, basename(file)));
  const [first = ""] = files;
  const path = join(copies, first);
  const { tensors, metadata } = parseSafetensors(new Uint8Array(await readFile(path)), path);
  const found = tensors.get(tensor);
  if (!found) throw new Error(`${path} has no ${tensor}: ${[...tensors.keys()].join(", ")}`);
  const data = float32(found).slice();
  const at = Math.min(3, data.length - 1);
  data[at] = (data[at] ?? 0) + 0.5;
  tensors.set(tensor, storeFloat32(data, found.shape));
  await writeFile(path, encodeSafetensors(tensors, metadata));
  return copies;
}

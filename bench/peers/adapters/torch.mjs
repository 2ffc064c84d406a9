import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** PyTorch on the processor, in a process of Python that runs a work when it is told to and answers its milliseconds. */
const SERVER = fileURLToPath(new URL("torch_server.py", import.meta.url));

export async function open() {
  const python = process.env["PYTHON"] ?? "python3";
  const child = spawn(python, [SERVER], { stdio: ["pipe", "pipe", "inherit"] });
  const started = new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  await started;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`${python} has no torch that starts; PYTHON=... names another Python`);
    return JSON.parse(value);
  };
  const ask = (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return answer();
  };
  const { version, works } = await answer();
  return {
    version: `PyTorch ${version}, CPU`,
    frozen: false,
    async prepare(work) {
      return works.includes(work) ? async () => ask(work) : null;
    },
  };
}

/**
 * Asks Dawn for an adapter and prints what answered as one line of JSON, `null` when nothing did. It runs in a process
 * of its own because a bad driver can take the process with it, and because the driver environment must be set before
 * the first library is loaded.
 */
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
// Dawn's instance must stay referenced while anything made from it lives: the garbage collector would free it.
const gpu = create(process.platform === "linux" ? ["backend=vulkan"] : []);
const adapter = await gpu.requestAdapter();
const info = adapter?.info;
const answer = info ? { vendor: info.vendor, device: info.device, description: info.description } : null;
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(gpu === undefined ? 1 : 0));

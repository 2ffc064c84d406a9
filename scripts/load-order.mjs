/**
 * The order in which the unpacked libraries can be loaded one by one, each after what it needs. A process that did not
 * start with LD_LIBRARY_PATH loads them by path in this order; the driver then finds every library already there.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";

/** Paths in `folder`, dependencies first: the loader, and the driver with everything it needs from the folder. */
export function loadOrder(folder) {
  const order = [];
  for (const name of ["libvulkan.so.1", "libvulkan_lvp.so"]) visit(join(folder, name), folder, order);
  return order;
}

function visit(path, folder, order) {
  if (order.includes(path)) return;
  for (const needed of neededBy(path, folder)) visit(needed, folder, order);
  if (!order.includes(path)) order.push(path);
}

/** What `ldd` (part of the C library's own package) resolves inside the folder; it lists indirect ones too. */
function neededBy(path, folder) {
  const env = { ...process.env, LD_LIBRARY_PATH: folder };
  const listing = spawnSync("ldd", [path], { env, encoding: "utf8" }).stdout ?? "";
  const found = [...listing.matchAll(/=> (\S+) \(/g)].map(([, file]) => join(folder, basename(file)));
  return found.filter((file) => file !== path && existsSync(file));
}

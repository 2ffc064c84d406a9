import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { joined } from "../layers/combine.ts";
import { classifier } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import { halved } from "../layers/pool.ts";
import { grow } from "../layers/resize.ts";
import type { Head } from "../supervision.ts";
import { pair } from "./unet.ts";

/** U-Net with nested, dense skip connections. */
export interface UnetppConfig extends CommonConfig {
  readonly kind: "unetpp";
  readonly base: number;
  readonly depth: number;
  /** A classifier on every node of the top row, each trained alike; only the last one predicts. */
  readonly deep: boolean;
}

export const UNETPP: UnetppConfig = {
  kind: "unetpp",
  classes: 8,
  height: 512,
  width: 512,
  base: 32,
  depth: 5,
  deep: true,
};

/** Node (i, j) has the size of level i and joins all nodes of its row with the one below, raised. */
function run(build: Build, { base, depth, deep, classes }: UnetppConfig, image: Value): Head[] {
  const rows: Value[][] = Array.from({ length: depth }, () => []);
  for (let j = 0; j < depth; j++) {
    for (let i = 0; i < depth - j; i++) {
      const row = rows[i] ?? [];
      row.push(pair(build, `node.${i}_${j}`, source(build, rows, i, j) ?? image, base * 2 ** i));
    }
  }
  const [top = []] = rows;
  const last = depth - 1;
  const used = deep ? Array.from({ length: last }, (_, i) => last - i) : [last];
  return used.map((j) => {
    const name = `head.${j}`;
    return classHead(name, classifier(build, name, top[j] ?? image, classes), 1 / used.length);
  });
}

function source(build: Build, rows: readonly (readonly Value[])[], i: number, j: number): Value | undefined {
  if (j > 0) {
    const below = rows[i + 1]?.[j - 1];
    return below ? joined(build, ...(rows[i] ?? []), grow(build, below, 2)) : below;
  }
  const above = rows[i - 1]?.[0];
  return above ? halved(build, above) : above;
}

export const unetpp: NetworkDefinition<UnetppConfig> = {
  trace: (build, config, image) => framed(build, image, 2 ** (config.depth - 1), (x) => run(build, config, x)),
  checked(config) {
    requireCommon(config);
    requireWhole({ base: config.base, depth: config.depth - 1 });
    return config;
  },
  /** Its first column. */
  levels: ({ depth }) => Array.from({ length: depth }, (_, i) => [`node.${i}_0`]),
  scaled: (config, base) => ({ ...config, base }),
};

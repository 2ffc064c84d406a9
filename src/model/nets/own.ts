import { UsageError } from "../../errors.ts";
import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { framed } from "../layers/frame.ts";
import type { Head } from "../supervision.ts";

/** A network of a program's own. It trains, evaluates and predicts as the listed ones do, but no file can name it. */
export interface OwnConfig extends CommonConfig {
  readonly kind: "own";
  /** Images are padded to whole multiples of it, so that the network can halve them: 8 for three halvings. */
  readonly multiple: number;
  /**
   * Traces the network on an image `[n, h, w, inChannels]` and returns what the loss looks at, the main output first. Called once
   * for each shape and mode (`build.mode`), so it must ask for the same parameters every time.
   */
  readonly outputs: (build: Build, image: Value) => readonly Head[];
}

export const own: NetworkDefinition<OwnConfig> = {
  trace: (build, { multiple, outputs }, image) => framed(build, image, multiple, (x) => outputs(build, x)),
  checked(config) {
    if (typeof config.outputs !== "function") {
      throw new UsageError(
        "a network of kind own is made of functions, which no file holds: build it in the program that has them",
      );
    }
    requireCommon(config);
    requireWhole({ multiple: config.multiple });
    return config;
  },
  levels: () => [],
  scaled(_config, width) {
    throw new UsageError(`width ${width}: a network of kind own has the width that its functions give it`);
  },
};

import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";
import { convolution } from "../layers/convolution.ts";
import { pooledStem } from "../layers/pool.ts";
import { ENCODERS, type SvanetConfig } from "./config.ts";
import { residual } from "./residual.ts";
import { normed } from "./style.ts";

/** ResNet whose five outputs have strides 2, 4, 8, 16 and 32. */
export function encoder(build: Build, config: SvanetConfig, image: Value): Value[] {
  const { kind, depths } = ENCODERS[config.encoder];
  return build.scope("encoder", () => {
    const relu = normed(config, "relu");
    const stem = convolution(build, "stem", image, { outer: config.stem, kernel: 7, stride: 2, ...relu });
    const features = [stem];
    let x = pooledStem(build, stem);
    for (const [stage, depth] of depths.entries()) {
      const planes = config.base * 2 ** stage;
      for (let block = 0; block < depth; block++) {
        const stride = block === 0 && stage > 0 ? 2 : 1;
        x = build.scope(`stages.${stage}.${block}`, () => residual(build, config, x, { kind, planes, stride }));
      }
      features.push(x);
    }
    return features;
  });
}

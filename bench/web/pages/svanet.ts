import { loadModel, openWebDevice, Predictor } from "../../../src/web/index.ts";
import { SIDE } from "../setting.ts";
import { measurePage, type Predict } from "./clock.ts";

/** As docs/web.md has it for one's own page: the GPU is opened while the weights come in. */
async function open(weights: string): Promise<Predict> {
  const [device, bytes] = await Promise.all([openWebDevice(), fetch(weights).then((file) => file.arrayBuffer())]);
  const { network, checkpoint } = await loadModel(device, bytes);
  const predictor = new Predictor(network, checkpoint);
  return async (data) => (await predictor.mask({ width: SIDE, height: SIDE, channels: 3, data })).data;
}

measurePage("svanet", open);

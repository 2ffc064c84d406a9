import { float32, type StoredTensor, storeFloat32 } from "./safetensors.ts";

/**
 * A convolution `[outer, 3, height, width]` that was trained on RGB as one on `channels` channels, by timm's rule
 * (`adapt_input_conv`, timm/models/_manipulate.py of pytorch-image-models): RGB's weights in turn, times 3 / channels, so that
 * sums keep their size; of one channel the sum over RGB, which is what the network makes of a grey picture.
 */
export function adaptedToChannels(tensor: StoredTensor, channels: number): StoredTensor {
  const [outer = 1, , height = 1, width = 1] = tensor.shape;
  const area = height * width;
  const rgb = float32(tensor);
  const out = new Float32Array(outer * channels * area);
  const at = (filter: number, colour: number, place: number) => rgb[(filter * 3 + colour) * area + place] ?? 0;
  for (let filter = 0; filter < outer; filter++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let place = 0; place < area; place++) {
        const value =
          channels === 1
            ? at(filter, 0, place) + at(filter, 1, place) + at(filter, 2, place)
            : at(filter, channel % 3, place) * (3 / channels);
        out[(filter * channels + channel) * area + place] = value;
      }
    }
  }
  return storeFloat32(out, [outer, channels, height, width]);
}

"""torchvision's own feature maps of ResNets with drawn weights: python3 resnet_maps.py FILE   (needs torchvision)

ImageNet weights cannot be kept in a repository, so every tensor is drawn from its name: uniform numbers from a 32-bit
hash, scaled so that no activation vanishes or grows. test/support/drawn-resnet.ts draws the same numbers to the last bit.
FILE (safetensors) holds the image, the maps of `stem` (after its ReLU) and `layer1` to `layer4`, in float64 rounded once,
and in its metadata the names and shapes of each model's state dict.
"""
import json
import math
import sys

import numpy as np
import torch
from torchvision import models

sys.path.insert(0, __file__.rsplit("/", 1)[0] + "/nets")
from golden import save  # noqa: E402

SIZE = (1, 3, 64, 32)
MODELS = {"resnet18": ("layer2", "layer4"), "resnet34": ("layer2", "layer4"),
          "resnet50": ("stem", "layer1", "layer2", "layer3", "layer4")}


def uniform(name, count):
    """`count` numbers in [-1, 1), multiples of 2^-23."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        x = np.uint32(seed) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        x = x ^ (x >> np.uint32(16))
    return (x >> np.uint32(8)).astype(np.float64) / 2 ** 23 - 1


def drawn(name, shape):
    u = uniform(name, math.prod(shape))
    leaf = name.rsplit(".", 1)[1]
    if len(shape) > 1:
        u = u * math.sqrt(6 / math.prod(shape[1:]))
    elif leaf == "weight":
        u = 0.75 + 0.25 * u
    elif leaf == "running_var":
        u = 1 + 0.5 * u
    else:
        u = 0.25 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def main(path):
    image = torch.from_numpy((2 * uniform("image", math.prod(SIZE))).astype(np.float32).reshape(SIZE))
    tensors, meta = {"image": image.numpy()}, {}
    for name, wanted in MODELS.items():
        model = getattr(models, name)(weights=None)
        shapes = [(k, list(v.shape)) for k, v in model.state_dict().items()]
        state = {k: torch.tensor(7) if k.endswith("tracked") else drawn(k, s) for k, s in shapes}
        model.load_state_dict(state)
        model.double().eval()
        with torch.no_grad():
            maps = {"stem": model.relu(model.bn1(model.conv1(image.double())))}
            x = model.maxpool(maps["stem"])
            for layer in ("layer1", "layer2", "layer3", "layer4"):
                x = maps[layer] = getattr(model, layer)(x)
        for layer in wanted:
            print(name, layer, list(maps[layer].shape), "mean", float(maps[layer].mean()), "std", float(maps[layer].std()))
            tensors[f"{name}.{layer}"] = maps[layer].numpy()
        meta[name] = json.dumps(shapes, separators=(",", ":"))
    save(path, tensors, meta)


if __name__ == "__main__":
    main(sys.argv[1])

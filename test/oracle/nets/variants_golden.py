"""Golden files of other configurations: odd sizes, batches of two and three, the variants the public files leave out, of
PSPNet, DeepLabV3 and CaraNet, and the smallest sound files of the networks whose public files are large.

  python3 variants_golden.py DIR [FILE...]

The format is golden.py's. `f32_spread` is not measured here.
"""
import json
import pathlib
import sys

import torch
from context_nets import lively
from golden import boundary, errors, jitter, make_label, run, save
from nets import build

SEED = 11
NARROW = dict(width=8, blocks=(1, 1, 1, 1))
TOKENS = dict(NARROW, c=8, tokens=(16, 64), ff=24, p=0.0)
CASES = [  # network, file, classes, (batch, height, width), constructor arguments
    ("unet", "unet-odd", 3, (2, 37, 29), dict(base=4, depth=3)),
    ("unetpp", "unetpp-one", 5, (1, 33, 50), dict(base=4, depth=4, deep=False)),
    ("pranet", "pranet-resnet", 2, (3, 70, 50),
     dict(kind="resnet", width=8, blocks=(1, 2, 1, 1), c=4, ra4=8, ra=8)),
    ("hrnet", "hrnet-single", 3, (2, 40, 65),
     dict(width=4, stem=8, planes=4, stage1=1, modules=(1, 1, 1), blocks=2, single=True, momentum=0.01)),
    ("nnunet", "nnunet-odd", 4, (2, 50, 35), dict(features=(4, 6, 8, 8), convs=3, strides=((1, 1), (1, 2), (2, 2), (2, 1)))),
    ("cfanet", "cfanet-resnet", 3, (2, 50, 33), dict(NARROW, kind="resnet", c=16)),
    ("transnetr", "transnetr-rows", 3, (3, 48, 33), dict(TOKENS, over="rows", full=True)),
    ("transnetr", "transnetr-batch", 2, (3, 32, 47), TOKENS),
    ("pspnet", "pspnet", 3, (2, 45, 37), dict(width=1, blocks=(1, 1, 2, 2), p=0.0)),
    ("deeplabv3", "deeplabv3", 4, (2, 37, 53), dict(width=1, blocks=(1, 1, 2, 2), c=8, rates=(2, 3, 12), p=0.0, aux_p=0.0)),
    ("pranet", "pranet-small", 2, (2, 33, 18), dict(width=4, blocks=(2, 1, 1, 1), c=2, ra4=2, ra=2)),
    ("hrnet", "hrnet-small", 2, (2, 33, 40), dict(width=2, stem=4, planes=2, stage1=1, modules=(1, 1, 1), blocks=1)),
    ("cfanet", "cfanet-small", 2, (2, 18, 33), dict(width=4, blocks=(1, 1, 1, 1), c=4)),
    ("transnetr", "transnetr-small", 3, (2, 33, 40), dict(width=2, blocks=(1, 1, 1, 1), c=4, tokens=(12, 36), ff=10, p=0.0)),
    ("caranet", "caranet", 3, (2, 61, 35), dict(width=4, blocks=(1, 1, 1, 1), c=16, reach=4)),
]


def write(net, name, classes, shape, config, folder):
    fresh = lambda: lively(build(net, classes, **config), SEED)
    b, h, w = shape
    for attempt in range(40):  # keep the first input whose result does not sit on a ReLU or max-pool kink
        g = torch.Generator().manual_seed(1000 * SEED + 50 * attempt + len(name))
        x = torch.randn(b, 3, h, w, generator=g)
        label = make_label(b, h, w, classes, g)
        edge = boundary(label)
        ref = run(fresh(), x, label, edge, torch.float64)
        error = errors(ref, run(fresh(), x, label, edge, torch.float32))
        spread = [errors(ref, run(jitter(fresh(), g), x, label, edge, torch.float32)) for _ in range(2)]
        if max(e["grad_global"] for e in spread + [error]) < 2e-4:
            break
    else:
        raise SystemExit(f"{name}: no well-conditioned input found")
    own = fresh()
    tensors = {"input": x.numpy(), "label": label.numpy()}
    if net == "cfanet":
        tensors["edge"] = edge.numpy()
    tensors.update({f"param.{k}": p.detach().numpy().copy() for k, p in own.named_parameters()})
    tensors.update({f"buffer.{k}": p.numpy().copy() for k, p in own.named_buffers() if p.is_floating_point()})
    tensors.update(ref)
    meta = {"net": net, "classes": classes, "seed": SEED, "config": json.dumps(config),
            "f32_error": json.dumps(error), "f32_spread": "{}"}
    save(str(folder / f"{name}.safetensors"), tensors, meta)
    print(name, "loss", float(ref["loss"][0]), "try", attempt, flush=True)


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        if case[1] in sys.argv[2:] or not sys.argv[2:]:
            write(*case, target)

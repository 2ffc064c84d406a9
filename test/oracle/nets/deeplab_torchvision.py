"""Shows that context_nets.DeepLabV3 is torchvision's deeplabv3_resnet50: same weights, same outputs and gradients.

  python3 deeplab_torchvision.py      needs torchvision; prints the largest relative differences, in float64

Every dropout is off: the two draw in another order.
"""
import re

import torch
from torch import nn
from torchvision.models.segmentation import deeplabv3_resnet50

from context_nets import lively
from golden import make_label
from names import resnet
from nets import build


def theirs(name):
    if name.startswith("encoder."):
        return "backbone." + resnet(name[8:])
    if found := re.fullmatch(r"(head|aux)\.classify\.(\w+)", name):
        return f"classifier.4.{found[2]}" if found[1] == "head" else f"aux_classifier.4.{found[2]}"
    block, kind, leaf = re.fullmatch(r"(.+)\.(conv|norm)\.(\w+)", name).groups()
    place = "01"[kind == "norm"]
    if found := re.fullmatch(r"aspp\.atrous\.(\d)", block):
        return f"classifier.0.convs.{int(found[1]) + 1}.{place}.{leaf}"
    head, first = {"aspp.point": ("classifier.0.convs.0", 0), "aspp.image": ("classifier.0.convs.4", 1),
                   "aspp.merge": ("classifier.0.project", 0), "head.mix": ("classifier", 1),
                   "aux.mix": ("aux_classifier", 0)}[block]
    return f"{head}.{first + int(place)}.{leaf}"


def gap(a, b):
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-12))


def main():
    classes = 5
    ours = lively(build("deeplabv3", classes, p=0.0, aux_p=0.0), 3).double()
    model = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=classes, aux_loss=True).double()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    state = {theirs(name): tensor for name, tensor in ours.state_dict().items()}
    model.load_state_dict(state)
    g = torch.Generator().manual_seed(4)
    x = torch.randn(2, 3, 96, 64, generator=g).double()
    label = make_label(2, 96, 64, classes, g)
    with torch.no_grad():
        print("eval", gap(ours.eval()(x), model.eval()(x)["out"]))
    mine, other = ours.train()(x)["seg"], model.train()(x)
    print("train", gap(mine[0], other["out"]), gap(mine[1], other["aux"]))
    # references/segmentation/train.py of torchvision
    loss = nn.functional.cross_entropy(other["out"], label, ignore_index=255) + \
        0.5 * nn.functional.cross_entropy(other["aux"], label, ignore_index=255)
    own = ours.loss({"seg": mine}, label)
    print("loss", gap(own, loss))
    own.backward()
    loss.backward()
    params = dict(model.named_parameters())
    largest = max(float(p.grad.abs().max()) for p in params.values())
    print("gradients", max(float((p.grad - params[theirs(n)].grad).abs().max()) / largest
                           for n, p in ours.named_parameters()), "of the largest,", len(params), "tensors")
    moved = dict(model.named_buffers())
    print("statistics", max(gap(b, moved[theirs(n)]) for n, b in ours.named_buffers() if b.is_floating_point()))
    print("parameters", sum(p.numel() for p in ours.parameters()), sum(p.numel() for p in model.parameters()))


if __name__ == "__main__":
    main()

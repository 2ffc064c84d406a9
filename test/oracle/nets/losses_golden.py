"""Write golden cases of losses that were published for regions, hard pixels or rare classes: python3 losses_golden.py FILE

A case `c` owns `c.logits`, `c.label` (255 does not count), `c.output`, `c.upstream` and `c.grad.logits`, the gradient of
sum(output * upstream), in PyTorch's layout. A loss's upstream is the number of pixels, so that its gradients, shares
of a mean, are of the size of 1 as others are. Values are computed in float64 from float32-exact logits. `__metadata__[c]`
holds the attributes. Of K > 1 classes each but the first is a binary problem on its log-odds against the others; of one
class the logit is the foreground's. Where nothing counts a loss is 0.
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "svanet"))
from tensorfile import save  # noqa: E402

GENERATOR = torch.Generator().manual_seed(31)
IGNORED = 255
TENSORS, CASES = {}, {}


def log_odds(logits):
    """[B, K, H, W] to [B, K - 1, H, W]: l_c - logsumexp of all l_j, j != c."""
    classes = logits.shape[1]
    others = lambda c: [j for j in range(classes) if j != c]  # noqa: E731
    return torch.stack([logits[:, c] - logits[:, others(c)].logsumexp(1) for c in range(1, classes)], 1)


def problems(logits, label):
    """Foreground logits, masks and which pixels count, all [B, C, H, W]."""
    classes = logits.shape[1]
    counts = (label != IGNORED)[:, None]
    if classes == 1:
        return logits, ((label > 0)[:, None] & counts).double(), counts.double()
    masks = torch.stack([label == c for c in range(1, classes)], 1).double()
    return log_odds(logits), masks, counts.double().expand_as(masks)


def emphasis(mask, counts):
    return (1 + 5 * (F.avg_pool2d(mask, 31, 1, 15) - mask).abs()) * counts


def structure(logits, label):
    odds, mask, counts = problems(logits, label)
    weight = emphasis(mask, counts)
    entropy = F.binary_cross_entropy_with_logits(odds, mask, reduction="none")
    entropy = (weight * entropy).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1)
    p = odds.sigmoid()
    inter = (p * mask * weight).sum((2, 3))
    union = ((p + mask) * weight).sum((2, 3))
    return (entropy + 1 - (inter + 1) / (union - inter + 1)).mean().reshape(1)


def bce_dice(logits, label):
    odds, mask, counts = problems(logits, label)
    over = (0, 2, 3)
    entropy = F.binary_cross_entropy_with_logits(odds, mask, reduction="none")
    entropy = (entropy * counts).sum(over) / counts.sum(over).clamp(min=1)
    p = odds.sigmoid() * counts
    dice = (2 * (p * mask).sum(over) + 1) / (p.sum(over) + mask.sum(over) + 1)
    return (entropy + 1 - dice).mean().reshape(1)


def ohem(logits, label, threshold, kept):
    """Which pixels are hard is decided in float32, as in training: sure ones are equal there, and left out together."""
    counts = label != IGNORED
    entropy = F.cross_entropy(logits, label.long().masked_fill(~counts, 0), reduction="none")[counts]
    p = torch.exp(-entropy).detach().float()
    limit = max(p.sort().values[min(kept, p.numel() - 1)].item(), threshold)
    return entropy[p < limit].mean().reshape(1)


def focal(logits, label, gamma, weight):
    """Lin et al. 2017, of softmax probabilities; averaged by the class weights, as PyTorch averages its cross-entropy."""
    counts = label != IGNORED
    truth = label.long().masked_fill(~counts, 0)
    own_logit = logits.gather(1, truth[:, None])[:, 0]
    others = logits.masked_fill(F.one_hot(truth, logits.shape[1]).movedim(-1, 1).bool(), -torch.inf).logsumexp(1)
    # log(1 - p): the gradient of (1 - p)^gamma is a number where p rounds to 1, too.
    log_p, log_rest = F.logsigmoid(own_logit - others), F.logsigmoid(others - own_logit)
    own = weight[truth] * counts
    return (-own * (gamma * log_rest).exp() * log_p).sum().reshape(1) / own.sum()


def tversky(logits, label, alpha, beta):
    """Salehi et al. 2017, of each class but the first over the whole batch, 1 added to both sides of twice the ratio."""
    counts = (label != IGNORED)[:, None]
    p = logits.softmax(1)[:, 1:] * counts
    y = torch.stack([label == c for c in range(1, logits.shape[1])], 1).double()
    over = (0, 2, 3)
    hit = (p * y).sum(over)
    sides = hit + alpha * (p * (1 - y)).sum(over) + beta * ((1 - p) * y).sum(over)
    return 1 - ((2 * hit + 1) / (2 * sides + 1)).mean().reshape(1)


def scene(classes, batch, height, width, empty=None):
    """Logits of pixels sure and unsure, and labels in blocks with a share ignored; image `empty` wholly."""
    logits = (torch.randn(batch, classes, height, width, generator=GENERATOR) * 3).float().double()
    logits[0, 0, 0, :3] = torch.tensor([30.0, -30.0, 12.0])
    logits[0, classes - 1, 1, :3] = torch.tensor([-40.0, 25.0, 40.0])
    coarse = torch.randint(0, classes if classes > 1 else 3, (batch, 1, 4, 3), generator=GENERATOR)
    label = F.interpolate(coarse.double(), (height, width))[:, 0].int()
    label[torch.rand(label.shape, generator=GENERATOR) < 0.15] = IGNORED
    if empty is not None:
        label[empty] = IGNORED
    return logits, label


def case(name, attributes, function, logits, label):
    leaf = logits.clone().requires_grad_(True)
    output = function(leaf, label)
    scalar = output.numel() == 1
    upstream = torch.tensor([float(label.numel())]) if scalar else torch.randn(output.shape, generator=GENERATOR).float()
    (grad,) = torch.autograd.grad(output, leaf, upstream.double())
    stored = {"logits": logits, "output": output.detach(), "upstream": upstream, "grad.logits": grad}
    if scalar:
        stored["label"] = label
    CASES[name] = json.dumps(attributes)
    TENSORS.update({f"{name}.{key}": tensor for key, tensor in stored.items()})


def nothing(logits, label):
    return logits.sum().reshape(1) * 0


def main(path):
    shapes = {1: (3, 11, 7), 2: (2, 35, 3), 3: (3, 3, 37), 9: (2, 5, 6)}
    for classes, (batch, height, width) in shapes.items():
        logits, label = scene(classes, batch, height, width, empty=None if classes == 9 else 1)
        for op, function in (("structure", structure), ("bce_dice", bce_dice)):
            case(f"{op}_{classes}", dict(op=op), function, logits, label)
        if classes > 1:
            case(f"log_odds_{classes}", dict(op="log_odds"), lambda x, _: log_odds(x), logits[:1], label)
            # Cut off by the threshold, by the rank, and with fewer pixels than are to be kept.
            for at, (threshold, kept) in enumerate(((0.9, 20), (0.02, 30), (0.6, 10 ** 6))):
                case(f"ohem_{classes}_{at}", dict(op="ohem", threshold=threshold, kept=kept),
                     lambda x, y, t=threshold, k=kept: ohem(x, y, t, k), logits, label)
    logits, label = scene(3, 2, 5, 4)
    label[:] = IGNORED
    for op, more in (("structure", {}), ("bce_dice", {}), ("ohem", dict(threshold=0.9, kept=9))):
        case(f"{op}_nothing", dict(op=op, **more), nothing, logits, label)
    _, label = scene(3, 1, 37, 33)
    _, masks, counts = problems(torch.zeros(1, 3, 37, 33).double(), label)
    weights = emphasis(masks, counts)
    TENSORS.update({"emphasis.label": label, "emphasis.output": weights, "emphasis.upstream": weights * 0})
    CASES["emphasis"] = json.dumps(dict(op="emphasis", classes=3))
    for classes, (batch, height, width) in shapes.items():
        if classes == 1:
            continue
        logits, label = scene(classes, batch, height, width)
        for at, gamma in enumerate((2.0, 0.5)):
            weight = torch.ones(classes).double() if at else torch.rand(classes, generator=GENERATOR).float().double() + 0.5
            name = f"focal_{classes}_{at}"
            case(name, dict(op="focal", gamma=gamma), lambda x, y, g=gamma, w=weight: focal(x, y, g, w), logits, label)
            TENSORS[f"{name}.weight"] = weight
        for at, (alpha, beta) in enumerate(((0.3, 0.7), (1.0, 1.0))):
            case(f"tversky_{classes}_{at}", dict(op="tversky", alpha=alpha, beta=beta),
                 lambda x, y, a=alpha, b=beta: tversky(x, y, a, b), logits, label)
    print(path, save(path, TENSORS, CASES), "bytes,", len(CASES), "cases")


if __name__ == "__main__":
    main(sys.argv[1])

"""Names of the public releases beside ours, for test/unit/public-names.test.ts:  python3 public_names.py FILE.txt

One line a layer below `# NETWORK`: our layer, the public layer, its tensors by their last names; a tensor whose last
name differs stands alone, with whole names. Networks are tiny. The rules are those of names.py, which equal outputs of
both implementations have proved. Below `# deeplabv3` are torchvision's own names and shapes at full size.
"""
import sys
from names import public_name
from nets import TINY, build

NETWORKS = {name: {} for name in TINY} | {"transnetr": {"full": True}}


def pairs(network, changes):
    rows = {}
    for ours, tensor in build(network, 3, tiny=True, **changes).state_dict().items():
        if not tensor.is_floating_point():
            continue
        public = public_name(network, ours)
        (mine, leaf), (theirs, other) = ours.rsplit(".", 1), public.rsplit(".", 1)
        if leaf == other:
            rows.setdefault(f"{mine} {theirs}", []).append(leaf)
        else:
            rows[f"{ours} {public}"] = []
    return [" ".join([names, *leaves]) for names, leaves in rows.items()]


def deeplabv3():
    from torchvision.models.segmentation import deeplabv3_resnet50
    net = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    return [f"{name} {'x'.join(map(str, tensor.shape))}"
            for name, tensor in net.state_dict().items() if tensor.is_floating_point()]


if __name__ == "__main__":
    found = {name: pairs(name, changes) for name, changes in NETWORKS.items()} | {"deeplabv3": deeplabv3()}
    with open(sys.argv[1], "w") as f:
        for name, rows in found.items():
            print(f"# {name}", *rows, sep="\n", file=f)

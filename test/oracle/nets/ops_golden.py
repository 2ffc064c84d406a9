"""Write golden cases of the ops that only the comparison networks use: python3 ops_golden.py FILE

A case `c` owns `c.<input>`, `c.output`, `c.upstream` and `c.grad.<input>` (gradient of sum(output * upstream)), in
PyTorch's layout. Values are computed in float64 from float32-exact inputs. `__metadata__[c]` holds the attributes.
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "svanet"))
from tensorfile import save  # noqa: E402

GENERATOR = torch.Generator().manual_seed(20)
TENSORS, CASES = {}, {}


def normal(*shape):
    return torch.randn(*shape, generator=GENERATOR).double()


def case(name, attributes, function, **inputs):
    leaves = {n: t.clone().requires_grad_(True) for n, t in inputs.items()}
    output = function(**leaves)
    upstream = normal(*output.shape)
    grads = torch.autograd.grad(output, list(leaves.values()), upstream)
    CASES[name] = json.dumps(attributes)
    stored = {**inputs, "output": output.detach(), "upstream": upstream,
              **{f"grad.{n}": g for n, g in zip(leaves, grads)}}
    TENSORS.update({f"{name}.{n}": t for n, t in stored.items()})


def pool(name, x, kernel, stride, padding, ceil, counted):
    case(name, dict(op="average_pool", kernel=kernel, stride=stride, padding=padding, ceil=ceil, count_padding=counted),
         lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, counted), x=x)


def main(path):
    for channels in (4, 5):
        for slope in (0.01, 0.1):
            case(f"leaky_{slope}_{channels}".replace(".", ""), dict(op="leaky_relu", slope=slope),
                 lambda x, s=slope: F.leaky_relu(x, s), x=normal(2, channels, 5, 7))
        case(f"instance_{channels}", dict(op="instance_norm", eps=1e-5),
             lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias, eps=1e-5),
             x=normal(3, channels, 9, 6) * 2 + 0.7, weight=normal(channels), bias=normal(channels))
        for down, across in ((0, 3), (2, 0)):
            case(f"padded_{down}{across}_{channels}", dict(op="conv", padding=[down, across]),
                 lambda x, weight, p=(down, across): F.conv2d(x, weight, padding=p),
                 x=normal(2, channels, 6, 8), weight=normal(6, channels, 2 * down + 1, 2 * across + 1))
        image = normal(2, channels, 9, 7)
        pool(f"pool_counted_{channels}", image, 3, 1, 1, False, True)
        pool(f"pool_strided_{channels}", image, 3, 2, 1, False, True)
        pool(f"pool_ceil_{channels}", image, 2, 2, 0, True, False)
        case(f"pad_{channels}", dict(op="pad", top=1, bottom=3, left=0, right=2),
             lambda x: F.pad(x, (0, 2, 1, 3)), x=image)
        case(f"crop_{channels}", dict(op="pad", top=0, bottom=-2, left=-1, right=0),
             lambda x: F.pad(x, (-1, 0, 0, -2)), x=image)
    truth = (torch.rand(2, 1, 6, 5, generator=GENERATOR) < 0.3).double()
    case("binary", dict(op="binary_cross_entropy"),
         lambda logits: F.binary_cross_entropy_with_logits(logits, truth).reshape(1), logits=3 * normal(2, 1, 6, 5))
    TENSORS["binary.truth"] = truth
    for channels, outer in ((8, 4), (3, 5)):
        for down, across in ((2, 1), (1, 2), (3, 2)):
            name = f"{down}{across}_{channels}"
            case(f"strided_{name}", dict(op="conv", padding=[1, 1], stride=[down, across]),
                 lambda x, weight, s=(down, across): F.conv2d(x, weight, padding=1, stride=s),
                 x=normal(2, channels, 7, 6), weight=normal(outer, channels, 3, 3))
            case(f"raised_{name}", dict(op="conv_transpose", stride=[down, across]),
                 lambda x, weight, s=(down, across): F.conv_transpose2d(x, weight, stride=s),
                 x=normal(2, channels, 4, 3), weight=normal(channels, outer, down, across))
    print(path, save(path, TENSORS, CASES), "bytes,", len(CASES), "cases")


if __name__ == "__main__":
    main(sys.argv[1])

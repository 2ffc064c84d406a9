"""PyTorch's side of the works: reads the name of one a line (JSON), runs it once, answers its milliseconds.

The first line it prints is `{"version": .., "works": [..]}`.
"""
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as missing:
    sys.exit(f"{sys.executable}: {missing}")

torch.set_num_threads(2)
torch.manual_seed(0)
draw = torch.randn
BASE = 16


class Block(nn.Sequential):
    def __init__(self, inner, outer):
        layers = []
        for channels in (inner, outer):
            layers += [nn.Conv2d(channels, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
        super().__init__(*layers)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Block(3, BASE), Block(BASE, 2 * BASE)
        self.third, self.fourth = Block(2 * BASE, 4 * BASE), Block(4 * BASE, 2 * BASE)
        self.last = Block(2 * BASE, BASE)
        self.up = nn.ConvTranspose2d(4 * BASE, 2 * BASE, 2, 2, bias=False)
        self.top = nn.ConvTranspose2d(2 * BASE, BASE, 2, 2, bias=False)
        self.head = nn.Conv2d(BASE, 1, 1, bias=False)

    def forward(self, x):
        a = self.first(x)
        b = self.second(F.max_pool2d(a, 2))
        c = self.third(F.max_pool2d(b, 2))
        d = self.fourth(torch.cat([self.up(c), b], 1))
        return self.head(self.last(torch.cat([self.top(d), a], 1)))


def conv(images, channels, side, **options):
    x, weight = draw(images, channels, side, side), draw(channels, channels, 3, 3)
    return lambda: F.conv2d(x, weight, **{"padding": 1, **options})


def works():
    """Each work by its name, and whether it needs gradients."""
    a, b = draw(512, 512), draw(512, 512)
    up, weight = draw(1, 64, 32, 32), draw(64, 64, 3, 3)
    q, k, v = draw(1024, 64), draw(1024, 64), draw(1024, 64)
    x, scale, shift = draw(4, 64, 64, 64), torch.ones(64), torch.zeros(64)
    mean, variance = torch.zeros(64), torch.ones(64)
    small = draw(1, 32, 32, 32)
    parameter = nn.Parameter(draw(2**20))
    parameter.grad = draw(2**20)
    optimizer = torch.optim.AdamW([parameter], 1e-3)
    net, image, labels = UNet(), draw(2, 3, 64, 64), (draw(2, 1, 64, 64) > 0).float()

    def loss():
        return F.binary_cross_entropy_with_logits(net(image), labels)

    def step():
        net.zero_grad()
        loss().backward()

    without = {
        "matmul 512": lambda: a @ b,
        "conv3x3 64->64 at 64x64": conv(1, 64, 64),
        "conv3x3 32->32 at 64x64, batch 4": conv(4, 32, 64),
        "conv3x3 256->256 at 16x16": conv(1, 256, 16),
        "conv3x3 dilation 2": conv(1, 64, 64, padding=2, dilation=2),
        "conv3x3 stride 2": conv(1, 64, 64, stride=2),
        "transposed 3x3 stride 2": lambda: F.conv_transpose2d(up, weight, stride=2, padding=1, output_padding=1),
        "attention, 1024 tokens, d 64": lambda: torch.softmax(q @ k.T * 0.125, -1) @ v,
        "batch norm, training": lambda: F.batch_norm(x, mean, variance, scale, shift, True),
        "resize, corners aligned, 32->64": lambda: F.interpolate(small, size=64, mode="bilinear", align_corners=True),
        "AdamW, 1 M parameters": optimizer.step,
        "U-Net forward": loss,
    }
    found = {name: (run, False) for name, run in without.items()}
    found["U-Net forward and backward"] = (step, True)
    return found


def say(answer):
    print(json.dumps(answer), flush=True)


WORKS = works()
say({"version": torch.__version__, "works": list(WORKS)})
for line in sys.stdin:
    run, gradients = WORKS[json.loads(line)]
    start = time.perf_counter()
    with torch.set_grad_enabled(gradients):
        run()
    say((time.perf_counter() - start) * 1e3)

"""Independent PyTorch reference of PSPNet, DeepLabV3 and CaraNet; same conventions as nets.py, whose registry it joins.

PSPNet: Zhao et al. 2017, "Pyramid scene parsing network", with what its authors' PyTorch release settles: whole stages of
the dilated ResNet look 2 and 4 pixels far, all resizing aligns corners, channels are dropped. Its stem there is three 3x3
(128 wide) and images have sides 8 n + 1; here the stem is torchvision's 7x7 and images are padded to multiples of 8.

DeepLabV3: torchvision's deeplabv3_resnet50 (Chen et al. 2017, "Rethinking atrous convolution", at output stride 8);
deeplab_torchvision.py shows that the two are equal. Chen et al. use no multi-grid here and no auxiliary classifier.

CaraNet: Lou et al. 2022. The publication leaves open, and this is decided as follows: reductions behind the encoder are
1x1; the decoder is PraNet's with norms; the pyramid factorises its 3x3 into 3x1 and 1x3, ungrouped, each with norm and
PReLU; a pyramid for each branch; attention is softmax over a column, then over a row, with queries as wide as the
features, scaled by the root of the width; a branch ends in a 3x3 with norm and no activation. The public code differs in
all of these and has a Res2Net-101.
"""
import torch
from torch import nn
import torch.nn.functional as F

import nets
from nets import ConvNorm, Net, PartialDecoder, ResNet, backbone, bilinear, init_weights


def dilate(stage, first, rest):
    """Keeps a ResNet stage's resolution: stride 1, and a dilation for the first block's 3x3 and for the others'."""
    for index, block in enumerate(stage):
        reach = rest if index else first
        block.b.conv.stride, block.b.conv.dilation, block.b.conv.padding = (1, 1), (reach, reach), (reach, reach)
        if block.skip is not None:
            block.skip.conv.stride = (1, 1)


class Fcn(nn.Module):
    """3x3 with norm and ReLU, dropout, 1x1."""

    def __init__(self, inner, hidden, classes, drop):
        super().__init__()
        self.mix, self.drop, self.classify = ConvNorm(inner, hidden, 3), drop, nn.Conv2d(hidden, classes, 1)

    def forward(self, x):
        return self.classify(self.drop(self.mix(x)))


class PSPNet(Net):
    multiple = 8
    seg_weights = (1.0, 0.4)

    def __init__(self, classes=8, width=64, blocks=(3, 4, 6, 3), bins=(1, 2, 3, 6), p=0.1):
        super().__init__()
        self.encoder = ResNet(width, blocks)
        dilate(self.encoder.stage[2], 2, 2)
        dilate(self.encoder.stage[3], 4, 4)
        c = 32 * width
        self.bins = bins
        self.pyramid = nn.ModuleList(ConvNorm(c, c // len(bins), 1) for _ in bins)
        self.head = Fcn(c + c // len(bins) * len(bins), c // 4, classes, nn.Dropout2d(p))
        self.aux = Fcn(c // 2, c // 8, classes, nn.Dropout2d(p))

    def run(self, x):
        third, last = self.encoder(x)[-2:]
        levels = [last] + [bilinear(level(F.adaptive_avg_pool2d(last, side)), last.shape[-2:], True)
                           for side, level in zip(self.bins, self.pyramid)]
        return {"seg": [bilinear(self.head(torch.cat(levels, 1)), x.shape[-2:], True),
                        bilinear(self.aux(third), x.shape[-2:], True)]}


class Aspp(nn.Module):
    def __init__(self, inner, c, rates, p):
        super().__init__()
        self.point = ConvNorm(inner, c, 1)
        self.atrous = nn.ModuleList(ConvNorm(inner, c, 3, dil=rate) for rate in rates)
        self.image = ConvNorm(inner, c, 1)
        self.merge = ConvNorm((2 + len(rates)) * c, c, 1)
        self.drop = nn.Dropout(p)

    def forward(self, x):
        whole = bilinear(self.image(F.adaptive_avg_pool2d(x, 1)), x.shape[-2:])
        return self.drop(self.merge(torch.cat([self.point(x)] + [a(x) for a in self.atrous] + [whole], 1)))


class DeepLabV3(Net):
    multiple = 8
    seg_weights = (1.0, 0.5)

    def __init__(self, classes=8, width=64, blocks=(3, 4, 6, 3), c=256, rates=(12, 24, 36), p=0.5, aux_p=0.1):
        super().__init__()
        self.encoder = ResNet(width, blocks)
        dilate(self.encoder.stage[2], 1, 2)
        dilate(self.encoder.stage[3], 2, 4)
        self.aspp = Aspp(32 * width, c, rates, p)
        self.head = Fcn(c, c, classes, nn.Identity())
        self.aux = Fcn(16 * width, 4 * width, classes, nn.Dropout(aux_p))

    def run(self, x):
        third, last = self.encoder(x)[-2:]
        return {"seg": [bilinear(self.head(self.aspp(last)), x.shape[-2:]), bilinear(self.aux(third), x.shape[-2:])]}


class Prelued(nn.Module):
    """Convolution, norm, a learned slope a channel below zero."""

    def __init__(self, *args, **kw):
        super().__init__()
        self.unit = ConvNorm(*args, act=None, **kw)
        self.act = nn.PReLU(self.unit.conv.out_channels)

    def forward(self, x):
        return self.act(self.unit(x))


class Factorised(nn.Module):
    def __init__(self, a, b, dil):
        super().__init__()
        self.column, self.row = Prelued(a, b, (3, 1), dil=dil), Prelued(b, b, (1, 3), dil=dil)

    def forward(self, x):
        return self.row(self.column(x))


class ChannelPyramid(nn.Module):
    """Four chains on a quarter of the channels; each is summed with the chains of smaller reach (K = 4, r = reach)."""

    def __init__(self, c, reach):
        super().__init__()
        q, k = c // 4, c // 16
        self.reduce = Prelued(c, q, 1)
        self.chain = nn.ModuleList(nn.ModuleList([Factorised(q, k, d), Factorised(k, k, d), Factorised(k, 2 * k, d)])
                                   for d in (1, reach // 4 + 1, reach // 2 + 1, reach + 1))
        self.merge = Prelued(c, c, 1)

    def forward(self, x):
        y = self.reduce(x)
        sums = torch.zeros(())
        levels = []
        for one, two, three in self.chain:
            a = one(y)
            b = two(a)
            sums = sums + torch.cat([a, b, three(b)], 1)
            levels.append(sums)
        merged = self.merge.unit(torch.cat(levels, 1))
        return self.merge.act(merged + x)


class Axis(nn.Module):
    """Self-attention among the pixels of a column (dim 2) or a row (dim 3), times a learned factor, and the input."""

    def __init__(self, c, dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(c, c, 1) for _ in range(3))
        self.gain, self.dim = nn.Parameter(torch.zeros(1)), dim

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        lanes = ("nciw,ncjw->nwij", "nwij,ncjw->nciw") if self.dim == 2 else ("nchi,nchj->nhij", "nhij,nchj->nchi")
        weights = (torch.einsum(lanes[0], q, k) * x.shape[1] ** -0.5).softmax(-1)
        return x + self.gain * torch.einsum(lanes[1], weights, v)


class AxialReverse(nn.Module):
    def __init__(self, c, classes):
        super().__init__()
        self.column, self.row = Axis(c, 2), Axis(c, 3)
        self.mid = nn.ModuleList(Prelued(c, c, 3) for _ in range(2))
        self.head = ConvNorm(c, classes, 3, act=None)

    def forward(self, x, guide):
        away = 1 - guide.sigmoid() if guide.shape[1] == 1 else guide.softmax(1)[:, :1]
        y = self.row(self.column(x)) * away
        for layer in self.mid:
            y = layer(y)
        return guide + self.head(y)


class CaraNet(Net):
    multiple = 32
    seg_weights = (1.0, 1.0, 1.0, 1.0)

    def __init__(self, classes=8, kind="res2net", width=64, blocks=(3, 4, 6, 3), c=32, reach=8):
        super().__init__()
        self.encoder = backbone(kind, width, blocks)
        self.reduce = nn.ModuleList(Prelued(n, c, 1) for n in self.encoder.out[2:])       # /8, /16, /32
        self.decoder = PartialDecoder(c, classes)
        self.pyramid = nn.ModuleList(ChannelPyramid(c, reach) for _ in range(3))           # /32, /16, /8
        self.reverse = nn.ModuleList(AxialReverse(c, classes) for _ in range(3))

    def run(self, x):
        fine, middle, coarse = (r(f) for r, f in zip(self.reduce, self.encoder(x)[3:]))
        guide = self.decoder(coarse, middle, fine)
        maps = [bilinear(guide, x.shape[-2:])]
        for feature, pyramid, reverse in zip((coarse, middle, fine), self.pyramid, self.reverse):
            guide = reverse(pyramid(feature), bilinear(guide, feature.shape[-2:]))
            maps.insert(0, bilinear(guide, x.shape[-2:]))
        return {"seg": maps}


nets.FULL.update({"pspnet": (PSPNet, {}), "deeplabv3": (DeepLabV3, {}), "caranet": (CaraNet, {})})


def lively(net, seed):
    """init_weights, and the learned slopes and factors away from their first values."""
    init_weights(net, seed)
    g = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith("act.weight"):
                p.copy_(0.1 + 0.4 * torch.rand(p.shape, generator=g))
            elif name.endswith("gain"):
                p.copy_(0.5 + torch.rand(p.shape, generator=g))
    return net

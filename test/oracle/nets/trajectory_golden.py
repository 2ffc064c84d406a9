"""Golden training runs: what PyTorch's optimisers make of the golden U-Net in 30 steps on its one image.

  python3 trajectory_golden.py NETS_FOLDER FILE

Start, image and labels are those of NETS_FOLDER/unet.safetensors; a run is float64 throughout. A run `r` owns
`r.loss` [steps], the loss before each update, and `r.param.<name>` and `r.buffer.<name>` after the last.
`__metadata__[r]` holds its settings and `f32_spread`, how far PyTorch's own float32 runs end up, their start jittered by
an ulp: shares of the largest value, the worst of all tensors. The rate is the first of RATES at which they stay
together. Adam's epsilon is large: with a small one it takes whole steps along gradients that are zero but for rounding.
"""
import json
import sys

import torch
from golden import load, save
from nets import build

STEPS = 30
RATES = (1e-2, 5e-3, 2e-3, 1e-3, 9e-4, 8e-4, 7e-4, 6e-4, 5e-4, 4e-4, 3e-4)
TOGETHER = 3e-6
KEPT = ("enc.0.0.conv.weight", "enc.0.0.norm.weight", "enc.3.1.conv.weight", "up.0.norm.bias", "dec.2.1.conv.weight",
        "head.weight", "head.bias", "enc.0.0.norm.running_mean", "dec.2.1.norm.running_var")
RUNS = {
    "adamw": dict(optimizer="adamw", betas=[0.9, 0.999], eps=1e-3, weight_decay=0.03),
    "groups": dict(optimizer="adamw", betas=[0.8, 0.95], eps=2e-3, weight_decay=0.3, encoder_rate=0.1),
    "sgd": dict(optimizer="sgd", momentum=0.9, weight_decay=3e-3, clip_norm=1.0),
}


def optimiser(net, s):
    encoder = [p for n, p in net.named_parameters() if n.startswith("enc.")]
    rest = [p for n, p in net.named_parameters() if not n.startswith("enc.")]
    groups = [{"params": encoder, "lr": s["lr"] * s.get("encoder_rate", 1)}, {"params": rest, "lr": s["lr"]}]
    if s["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, betas=s["betas"], eps=s["eps"], weight_decay=s["weight_decay"])
    return torch.optim.SGD(groups, momentum=s["momentum"], nesterov=True, weight_decay=s["weight_decay"])


def train(tensors, meta, settings, dtype, jitter=None):
    net = build("unet", int(meta["classes"]), tiny=True)
    for name, value in net.state_dict().items():
        for prefix in ("param.", "buffer."):
            if prefix + name in tensors:
                value.copy_(torch.from_numpy(tensors[prefix + name].copy()))
    if jitter is not None:
        noise = torch.Generator().manual_seed(jitter)
        for p in net.parameters():
            p.data *= 1 + 6e-8 * torch.randn(p.shape, generator=noise)
    net = net.to(dtype).train()
    image = torch.from_numpy(tensors["input"].copy()).to(dtype)
    label = torch.from_numpy(tensors["label"].copy()).long()
    step, losses = optimiser(net, settings), []
    for _ in range(STEPS):
        loss = net.loss(net(image), label)
        step.zero_grad()
        loss.backward()
        if "clip_norm" in settings:
            torch.nn.utils.clip_grad_norm_(net.parameters(), settings["clip_norm"])
        step.step()
        losses.append(float(loss.detach()))
    state = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    kinds = {n: "param" for n, _ in net.named_parameters()}
    return {"loss": torch.tensor(losses, dtype=torch.float64),
            **{f"{kinds.get(n, 'buffer')}.{n}": state[n].detach().double() for n in KEPT}}


def main(folder, path):
    tensors, meta = load(f"{folder}/unet.safetensors")
    out, notes = {}, {}
    for run, fixed in RUNS.items():
        for rate in RATES:
            settings = {**fixed, "lr": rate}
            exact = train(tensors, meta, settings, torch.float64)
            singles = [train(tensors, meta, settings, torch.float32, jitter) for jitter in (None, 1, 2, 3, 4)]
            spread = max(float((s[n] - v).abs().max() / v.abs().max()) for s in singles for n, v in exact.items())
            if spread < TOGETHER:
                break
        else:
            raise SystemExit(f"{run}: at no rate do the float32 runs stay together")
        out.update({f"{run}.{n}": v.numpy() for n, v in exact.items()})
        notes[run] = json.dumps({**settings, "f32_spread": float(f"{spread:.2g}")})
        print(run, "rate", rate, "loss", float(exact["loss"][0]), "to", float(exact["loss"][-1]), "spread", spread)
    save(path, out, notes)


if __name__ == "__main__":
    main(*sys.argv[1:])

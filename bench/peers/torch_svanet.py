#!/usr/bin/env python3
"""The networks of the paper's Table VII in PyTorch, on the GPU where there is one: what stands beside `svanet bench fps` and `bench train`.

    python3 bench/peers/torch_svanet.py                                        SvANet at 512x512
    python3 bench/peers/torch_svanet.py --all --precision f16                  all eight, mixed precision
    python3 bench/peers/torch_svanet.py --width 8 --encoder mini-basic --size 64 --runs 3 --steps 2

The networks are those that the golden files come from (test/oracle). Prints rows as JSON; all else goes to stderr.
Times are of single runs, each waited for; times of inference are of `--runs` runs or as many as fit `--budget` seconds.
"""
import argparse
import json
import pathlib
import platform
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(f"torch_svanet: {sys.executable} has no torch: pip install torch there, or call another python with it")

ORACLE = pathlib.Path(__file__).resolve().parents[2] / "test" / "oracle"
sys.path[:0] = [str(ORACLE / "svanet"), str(ORACLE / "nets")]

import nets  # noqa: E402
import svanet  # noqa: E402

TABLE_VII = {
    "unet": ("unet", {}),
    "unetpp": ("unetpp", {}),
    "pranet-resnet50": ("pranet", {"kind": "resnet", "head": "feature"}),
    "hrnet-single": ("hrnet", {"single": True}),
    "nnunet": ("nnunet", {}),
    "cfanet-resnet50": ("cfanet", {"kind": "resnet"}),
    "transnetr-full": ("transnetr", {"full": True}),
    "svanet": None,
}
IGNORED = 255
WARM = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", choices=[*TABLE_VII, "svanet-text", "svanet-release"])
    parser.add_argument("--all", action="store_true", help="the eight of Table VII")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--encoder", default="resnet50", help="SvANet's: resnet50, mini-basic")
    parser.add_argument("--width", type=int, help="SvANet's channels where it is narrowest")
    parser.add_argument("--batch", type=int, default=1, help="images a run of inference")
    parser.add_argument("--train-batch", type=int, default=4, help="images a training step; 0 for no training")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--budget", type=float, default=60, help="seconds for the runs, and for the steps, of one network")
    parser.add_argument("--precision", choices=["f32", "f16"], default="f32", help="f32 without TF32, or autocast")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def built(name, options):
    """A network and the images' memory format on the device asked for."""
    if TABLE_VII.get(name) is None:
        widths = {} if options.width is None else {
            "base": options.width, "stem": options.width, "aspp_channels": 8 * options.width}
        sizes = {"classes": options.classes, "height": options.size, "width": options.size}
        net = svanet.build(name, encoder=options.encoder, **sizes, **widths)
    else:
        kind, changes = TABLE_VII[name]
        net = nets.build(kind, classes=options.classes, **changes)
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    return net.to(options.device, memory_format=layout), layout


def wait(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def timed(run, count, budget, device):
    """Milliseconds of up to `count` runs, three at the least, as many as fit `budget` seconds."""
    for _ in range(min(WARM, count)):
        run()
    wait(device)
    times, since = [], time.perf_counter()
    while len(times) < count and (len(times) < 3 or time.perf_counter() - since < budget):
        start = time.perf_counter()
        run()
        wait(device)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def peak(device):
    """Bytes of GPU memory at the most since the last call; None on a processor."""
    if not device.startswith("cuda"):
        return None
    most = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return most


def autocast(options):
    kind = options.device.split(":")[0]
    dtype = torch.float16 if kind == "cuda" else torch.bfloat16
    return torch.autocast(kind, dtype=dtype, enabled=options.precision == "f16")


def drawn(batch, options, layout):
    image = torch.randn(batch, 3, options.size, options.size, device=options.device)
    return image.to(memory_format=layout)


def inference(name, options):
    net, layout = built(name, options)
    net.eval()
    image = drawn(options.batch, options, layout)
    peak(options.device)
    with torch.inference_mode(), autocast(options):
        times = timed(lambda: net(image), options.runs, options.budget, options.device)
    ordered = sorted(times)
    return {
        "batch": options.batch, "runs": len(times), "fps": 1e3 * options.batch / statistics.mean(times),
        "meanMs": statistics.mean(times), "medianMs": statistics.median(times),
        "p95Ms": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], "peakBytes": peak(options.device),
    }


def training(name, options):
    """Forward, backward and AdamW's update, with cross-entropy over every output of full size."""
    net, layout = built(name, options)
    net.train()
    batch = options.train_batch
    image = drawn(batch, options, layout)
    labels = torch.randint(options.classes, (batch, options.size, options.size), device=options.device)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, weight_decay=0.03)
    scaler = torch.amp.GradScaler(enabled=options.precision == "f16" and options.device.startswith("cuda"))
    losses = []

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast(options):
            out = net(image)
            heads = out["seg"] if isinstance(out, dict) else [out]
            loss = sum(F.cross_entropy(logits.float(), labels, ignore_index=IGNORED) for logits in heads)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach())

    peak(options.device)
    times = timed(step, options.steps, options.budget, options.device)
    median = statistics.median(times)
    return {
        "batch": batch, "steps": len(times), "medianMs": median, "stepsPerSecond": 1e3 / median,
        "imagesPerSecond": 1e3 * batch / median, "loss": losses[-1].item(), "peakBytes": peak(options.device),
    }


def rows(name, options, header):
    """A row of inference, and one of training where it is asked for."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    parameters = sum(p.numel() for p in built(name, options)[0].parameters())
    shared = {"preset": name, "size": options.size, "classes": options.classes, "parameters": parameters, "header": header}
    asked = {"inference": inference, **({"training": training} if options.train_batch > 0 else {})}
    found = []
    for run, measure in asked.items():
        try:
            found.append({"run": run, **measure(name, options), **shared, "refusal": None})
        except RuntimeError as error:  # out of memory: the others still have figures
            found.append({"run": run, **shared, "refusal": str(error).splitlines()[0]})
    return found


def main():
    options = arguments()
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    names = list(TABLE_VII) if options.all else options.model or ["svanet"]
    gpu = torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.processor() or "CPU"
    header = {
        "adapter": gpu, "torch": torch.__version__, "precision": options.precision, "channelsLast": options.channels_last,
        "date": time.strftime("%Y-%m-%d"), "command": " ".join(["python3", *sys.argv]),
    }
    print(json.dumps([one for name in names for one in rows(name, options, header)], indent=2))


if __name__ == "__main__":
    main()

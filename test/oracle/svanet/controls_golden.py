"""Write fixtures of every control, several in each of a few tiny networks: python controls_golden.py

The format is model_golden.py's, without intermediates and updated parameters.
"""
from model_golden import HERE, write

SMALL = dict(encoder="mini-bottleneck", base=1, stem=2, aspp_channels=4, aspp_rates=(2,), gate_floor=4, classes=2,
             neck_ratio=0.5, guide_block="3x3", former_local="depthwise", former_depth=0, link="add",
             height=32, width=32)
GATES = "former_gate_before", "former_gate_after"

CASES = {
    "cbam": dict(neck_attention="cbam", **dict(zip(GATES, ("coord", "cbam"))), guidance=False),
    "coord": dict(neck_attention="coord", **dict(zip(GATES, ("cbam", "coord"))), guidance=False),
    "mc": dict(mc_sizes=(2, 4), **dict(zip(GATES, ("mc", "se"))), sv_mode="source"),
    "se": dict(mc_sizes=(1, 4), neck_attention="se", **dict(zip(GATES, ("se", "mc"))), sv_mode="mean"),
    "before": dict(neck_attention="none", former_after=False, sv_mode="max", sv_average_in_training=True),
    "after": dict(neck=False, former_before=False, sv_mode="none"),
    "direct": dict(former_before=False, former_after=False, link="none", guidance=False),
}


def main():
    out = HERE / "fixtures" / "model"
    for name, changes in CASES.items():
        write(out / f"control-{name}.safetensors", "svanet-release", 1, 3, full=False, salts=24, **{**SMALL, **changes})


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Everything worth knowing of a GPU in at most eight minutes: doctor, networks, training, kernels by timestamps, ops, f16, and
# PyTorch beside where bench/peers/torch_svanet.py and torch are. Needs Node, dist, node_modules and this folder, nothing else.
#   bash bench/gpu-day.sh [--out FOLDER] [--seconds 480] [--tiny]
# Each part has its own time limit; one that fails is recorded and the rest goes on. Writes gpu-day.json and gpu-day.md.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ -f "$root/dist/bench/day/main.js" ] || { echo "gpu-day: no dist in $root: run 'npm run build' first" >&2; exit 1; }
exec node "$root/dist/bench/day/main.js" "$@"

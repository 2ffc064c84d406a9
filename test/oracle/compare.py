"""Compares regenerated golden files with the committed ones:  python3 compare.py FOLDER_OR_FILE COMMITTED

Prints for each file of the first whether it is equal byte for byte, or which groups of tensors (by the first word of
their names) differ and by how much of the group's largest value.
"""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "svanet"))
from tensorfile import load  # noqa: E402


def difference(one, two):
    (mine, remarks), (theirs, others) = load(one), load(two)
    if [(n, t.shape) for n, t in mine.items()] != [(n, t.shape) for n, t in theirs.items()]:
        return "other tensors"
    found = ["metadata" for key in remarks if remarks[key] != others.get(key)][:1]
    groups = {}
    for name in mine:
        groups.setdefault(name.split(".")[0], []).append(name)
    for group, names in groups.items():
        largest = max(float(np.abs(theirs[n].astype(float)).max(initial=0)) for n in names)
        apart = [float(np.abs(mine[n].astype(float) - theirs[n]).max(initial=0)) for n in names]
        if max(apart) > 0:
            share = max(apart) / largest
            found.append(f"{sum(a > 0 for a in apart)} of {len(names)} tensors {group}.* by {share:.1g} of the largest")
    return ", ".join(found) or "the order of the file"


def main(one, two):
    for path in sorted(one.iterdir()) if one.is_dir() else [one]:
        other = two / path.name if two.is_dir() else two
        if not other.exists():
            print(path.name, "is not committed")
        elif path.read_bytes() == other.read_bytes():
            print(path.name, "equal")
        else:
            print(path.name, "differs:", difference(path, other) if path.suffix == ".safetensors" else "text")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:3]))

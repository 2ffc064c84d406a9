"""Writes object_split.json: masks of touching blobs with SciPy's distances and scikit-image's watershed of their h-maxima,
for test/unit/objects/split.test.ts. Run: python3 object_split.py && npx biome format --write object_split.json
(numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0)."""

import json
import pathlib

import numpy as np
import scipy
import skimage
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

EIGHT = np.ones((3, 3), bool)


def discs(rng, height, width, count):
    rows, columns = np.mgrid[:height, :width]
    mask = np.zeros((height, width), bool)
    for _ in range(count):
        y, x, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(2, 7)
        mask |= (rows - y) ** 2 + ((columns - x) * rng.uniform(0.7, 1.4)) ** 2 <= r * r
    return mask


def split(mask, depth):
    distance = ndimage.distance_transform_edt(mask)
    lowered = reconstruction(distance - depth, distance, method="dilation", footprint=EIGHT)
    seeds, _ = ndimage.label(local_maxima(lowered, footprint=EIGHT) & mask, EIGHT)
    parts, count = ndimage.label(mask, EIGHT)
    for part in range(1, count + 1):  # thinner than depth: its highest place is its seed
        if not seeds[parts == part].any():
            seeds.flat[np.argmax(np.where(parts == part, distance, -1))] = seeds.max() + 1
    labels = np.zeros(mask.shape, int)
    for part, box in enumerate(ndimage.find_objects(parts), 1):  # one by one: ties are then decided within a component
        own = parts[box] == part
        labels[box][own] = watershed(-distance[box], np.where(own, seeds[box], 0), connectivity=2, mask=own)[own]
    return distance, labels


def main():
    rng = np.random.default_rng(7)
    cases = []
    for height, width, count, depth in [(23, 31, 9, 0.5), (37, 29, 14, 0.75), (41, 53, 22, 1.0), (33, 33, 16, 2.0), (19, 47, 12, 0.3)]:
        mask = discs(rng, height, width, count)
        distance, labels = split(mask, depth)
        groups = [sorted(np.flatnonzero(labels == label).tolist()) for label in range(1, labels.max() + 1)]
        cases.append(
            {
                "mask": ["".join(str(int(v)) for v in row) for row in mask],
                "depth": depth,
                "squares": np.rint(distance**2).astype(int).ravel().tolist(),
                "components": int(ndimage.label(mask, EIGHT)[1]),
                "objects": sorted(groups, key=lambda group: group[0]),
            }
        )
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-image": skimage.__version__}
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"versions": versions, "cases": cases}))


main()

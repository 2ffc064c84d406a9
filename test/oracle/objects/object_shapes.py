"""Writes object_shapes.json: shapes of the objects of a mask by scikit-image and SciPy, for test/unit/objects/shape.test.ts.
Run: python3 object_shapes.py && npx biome format --write object_shapes.json (numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0).
Feret's diameters are those of the convex hull of the pixels' corners, as ImageJ's and QuPath's outlines run."""

import json
import pathlib

import numpy as np
import scipy
import skimage
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import perimeter_crofton, regionprops

SPACING = (0.5, 0.25)  # millimetres between rows, between columns


def feret(mask, spacing):
    rows, columns = np.nonzero(mask)
    corners = np.array([(r + dr, c + dc) for r, c in zip(rows, columns) for dr in (0, 1) for dc in (0, 1)]) * spacing
    hull = ConvexHull(corners)
    points = corners[hull.vertices]
    widths = []
    for one, two in zip(points, np.roll(points, -1, axis=0)):
        normal = np.array([two[1] - one[1], one[0] - two[0]]) / np.hypot(*(two - one))
        widths.append(np.ptp(points @ normal))
    return float(pdist(points).max()), float(min(widths))


def main():
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.normal(size=(37, 43)), 1.6)
    mask = smooth > np.quantile(smooth, 0.72)
    labels, _ = ndimage.label(mask, np.ones((3, 3), bool))
    objects = []
    for pixel, length in zip(regionprops(labels), regionprops(labels, spacing=SPACING)):
        own = labels == pixel.label
        objects.append(
            {
                "area": float(pixel.area),
                "equivalentDiameter": float(pixel.equivalent_diameter_area),
                "perimeter": float(perimeter_crofton(own, directions=4)),
                "centroid": [float(pixel.centroid[1]) + 0.5, float(pixel.centroid[0]) + 0.5],
                "feret": feret(own, (1, 1)),
                "areaMm": float(length.area),
                "equivalentDiameterMm": float(length.equivalent_diameter_area),
                "feretMm": feret(own, SPACING),
            }
        )
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-image": skimage.__version__}
    document = {"versions": versions, "spacing": SPACING[::-1], "mask": ["".join(str(int(v)) for v in row) for row in mask], "objects": objects}
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(document))


main()

"""Writes scipy_metrics.json: small random label maps with values from SciPy, NumPy and scikit-learn, for
test/unit/metrics-extended.test.ts. Run: python3 scipy_metrics.py && npx biome format --write scipy_metrics.json
(needs numpy, scipy, scikit-learn)."""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import ndimage, stats
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn import metrics

EIGHT = np.ones((3, 3), bool)
CLASSES = 3
TOLERANCE = 1.5


def blobs(rng, height, width, level):
    smooth = ndimage.gaussian_filter(rng.normal(size=(height, width)), 1.3)
    return (smooth > np.quantile(smooth, level)).astype(int)


def pair(rng, height, width):
    """A label map of two classes, and a prediction that moves, adds and loses some of it."""
    target = blobs(rng, height, width, 0.75) * (1 + blobs(rng, height, width, 0.5))
    prediction = np.where(rng.random((height, width)) < 0.12, blobs(rng, height, width, 0.7), np.roll(target, (1, 1), (0, 1)))
    return prediction, target


def lesions(prediction, target, label):
    truth, n = ndimage.label(target == label, EIGHT)
    found, m = ndimage.label(prediction == label, EIGHT)
    inter = np.array([[np.sum((truth == i) & (found == j)) for j in range(1, m + 1)] for i in range(1, n + 1)]).reshape(n, m)
    areas = [np.sum(truth == i) for i in range(1, n + 1)], [np.sum(found == j) for j in range(1, m + 1)]
    union = np.array(areas[0])[:, None] + np.array(areas[1])[None, :] - inter if n and m else inter
    matched = []
    for least in (0.1, 0.5):
        edges = csr_matrix((inter > 0) & (inter >= least * union)) if n and m else None
        matched.append(0 if edges is None else int(np.sum(maximum_bipartite_matching(edges, "column") >= 0)))
    return {"truth": sorted(int(a) for a in areas[0]), "predicted": sorted(int(a) for a in areas[1]), "matched": matched}


def surface(prediction, target, label):
    borders = [mask ^ ndimage.binary_erosion(mask) for mask in (prediction == label, target == label)]
    if not borders[0].any() or not borders[1].any():
        return None
    there = ndimage.distance_transform_edt(~borders[1])[borders[0]]
    back = ndimage.distance_transform_edt(~borders[0])[borders[1]]
    near = np.sum(there <= TOLERANCE) + np.sum(back <= TOLERANCE)
    return {
        "dice": float(near / (len(there) + len(back))),
        "hausdorff95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
    }


def scores(prediction, target):
    """scikit-learn's values per class over the pooled pixels."""
    args = {"labels": list(range(CLASSES)), "average": None, "zero_division": 0}
    p, t = prediction.ravel(), target.ravel()
    return {
        "precision": metrics.precision_score(t, p, **args).tolist(),
        "recall": metrics.recall_score(t, p, **args).tolist(),
        "dice": metrics.f1_score(t, p, **args).tolist(),
        "iou": metrics.jaccard_score(t, p, **args).tolist(),
        "f2": metrics.fbeta_score(t, p, beta=2, **args).tolist(),
        "confusion": metrics.confusion_matrix(t, p, labels=list(range(CLASSES))).tolist(),
    }


def roc(rng):
    values = np.round(rng.random(40), 1)
    truth = (rng.random(40) < values).astype(int)
    fpr, tpr, thresholds = metrics.roc_curve(truth, values, drop_intermediate=False)
    curve = {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "thresholds": thresholds[1:].tolist()}
    return {"scores": values.tolist(), "truth": truth.tolist(), "auc": float(metrics.roc_auc_score(truth, values)), **curve}


def paired(rng):
    one, two = rng.random(20), rng.random(20)
    w = stats.wilcoxon(one, two, method="exact")
    t = stats.ttest_rel(one, two)
    return {
        "one": one.tolist(),
        "two": two.tolist(),
        "wilcoxon": [float(w.statistic), float(w.pvalue)],
        "t": [float(t.statistic), float(t.pvalue)],
    }


def interval(rng):
    """Interval of a mean; another generator's draws, so only close."""
    values = rng.random(60)
    found = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(1))
    return {"values": values.tolist(), "low": float(found.confidence_interval.low), "high": float(found.confidence_interval.high)}


def main():
    rng = np.random.default_rng(20240607)
    cases = []
    for height, width in [(17, 23), (24, 24), (9, 31), (30, 14)]:
        prediction, target = pair(rng, height, width)
        per_class = [
            {"lesions": lesions(prediction, target, label), "surface": surface(prediction, target, label)} for label in (1, 2)
        ]
        rows = lambda a: ["".join(map(str, row)) for row in a]
        cases.append(
            {"prediction": rows(prediction), "target": rows(target), "classes": per_class, "scores": scores(prediction, target)}
        )
    document = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
        "tolerance": TOLERANCE,
        "cases": cases,
        "roc": roc(rng),
        "paired": paired(rng),
        "interval": interval(rng),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(document, indent=1) + "\n")


main()

"""Writes object_scores.json: objects of small images with pycocotools' AP, SciPy's matchings and panoptic quality, for
test/unit/metrics/object-scores.test.ts. Run: python3 object_scores.py && npx biome format --write object_scores.json
(numpy 2.4.6, scipy 1.17.1, pycocotools 2.0.11). AP of ranked objects is COCOeval's with segmentations, all areas, at the ten
overlaps k/20, without its limit of 100 detections. Panoptic quality is Kirillov's formula on the overlaps that pycocotools' masks
give; a class's objects are matched at more than 0.5."""

import contextlib
import io
import json
import pathlib

import numpy as np
import scipy
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy import ndimage, stats
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

OVERLAPS = np.arange(10, 20) / 20
HEIGHT, WIDTH = 17, 23


def image(rng, number):
    """Numbers of objects in a label map, and of a prediction that moves, joins, loses and invents some."""
    truth = np.zeros((HEIGHT, WIDTH), int)
    for label in range(1, rng.integers(3, 9)):
        y, x, h, w = rng.integers(0, HEIGHT - 3), rng.integers(0, WIDTH - 3), rng.integers(2, 6), rng.integers(2, 6)
        truth[y : y + h, x : x + w] = label
    predicted = np.zeros_like(truth)
    for label in np.unique(truth[truth > 0]):
        kind = rng.random()
        if kind < 0.15:
            continue
        own = truth == label
        if kind < 0.6:
            own = np.roll(own, rng.integers(-1, 2, 2), (0, 1))
        predicted[own] = label if kind < 0.9 else 1
    if rng.random() < 0.5:
        predicted[:3, :2] = 99
    if number == 3:
        predicted[:] = 0
    return compact(truth), compact(predicted)


def compact(labels):
    return np.searchsorted(np.unique(np.append(0, labels)), labels)


def rle(labels, label):
    return masks.encode(np.asfortranarray((labels == label).astype(np.uint8)))


def ranked(images):
    """COCO's AP at every overlap."""
    truth, found = [], []
    for number, (labels, predicted, scores) in enumerate(images, 1):
        for label in range(1, labels.max() + 1):
            code = rle(labels, label)
            truth.append({"id": len(truth) + 1, "image_id": number, "category_id": 1, "segmentation": code, "area": float(masks.area(code)), "iscrowd": 0, "bbox": masks.toBbox(code).tolist()})
        for label, score in enumerate(scores, 1):
            found.append({"image_id": number, "category_id": 1, "segmentation": rle(predicted, label), "score": score})
    coco = COCO()
    coco.dataset = {"images": [{"id": i + 1, "height": HEIGHT, "width": WIDTH} for i in range(len(images))], "annotations": truth, "categories": [{"id": 1}], "info": {}}
    coco.createIndex()
    run = COCOeval(coco, coco.loadRes(found), "segm")
    run.params.iouThrs = OVERLAPS
    run.params.maxDets = [100_000]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    run.accumulate()
    return run.eval["precision"][:, :, 0, 0, 0].mean(axis=1).tolist()


def overlaps(labels, predicted):
    n, m = labels.max(), predicted.max()
    if n == 0 or m == 0:
        return np.zeros((n, m))
    codes = [[rle(of, label) for label in range(1, of.max() + 1)] for of in (labels, predicted)]
    return masks.iou(codes[1], codes[0], [0] * n).T


def main():
    rng = np.random.default_rng(11)
    images = []
    for number in range(6):
        labels, predicted = image(rng, number)
        scores = [float(s) for s in np.round(rng.random(predicted.max()), 1)]  # some are equal
        images.append((labels, predicted, scores))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = ranked(images)
    ious = [overlaps(labels, predicted) for labels, predicted, _ in images]
    truth, found = sum(i.shape[0] for i in ious), sum(i.shape[1] for i in ious)
    matched = [sum(int(np.sum(maximum_bipartite_matching(csr_matrix(i >= t), "column") >= 0)) for i in ious if i.size) for t in OVERLAPS]
    hits = np.concatenate([i[i > 0.5] for i in ious])
    differences = np.array([i.shape[1] - i.shape[0] for i in ious])
    low, high = stats.norm.interval(0.95, differences.mean(), differences.std(ddof=1))
    document = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "pycocotools": "2.0.11"},
        "images": [{"truth": l.ravel().tolist(), "predicted": p.ravel().tolist(), "scores": s} for l, p, s in images],
        "size": {"height": HEIGHT, "width": WIDTH},
        "cocoAp": coco,
        "matched": matched,
        "ap": [m / (truth + found - m) for m in matched],
        "sq": float(hits.mean()),
        "rq": len(hits) / ((truth + found) / 2),
        "pq": float(hits.sum() / ((truth + found) / 2)),
        "counts": {"bias": float(differences.mean()), "deviation": float(differences.std(ddof=1)), "low": float(low), "high": float(high)},
    }
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(document))


main()

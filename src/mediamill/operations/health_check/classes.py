"""What is drawn on the pictures of a set: classes and their balance, by split; sizes of objects."""

from collections import Counter, defaultdict
from typing import Any

from mediamill.operations.health_check.measuring import AREAS
from mediamill.operations.health_check.table import Table

MOST = 1_000
"""Classes that the report tells apart, the most frequent."""


def classes(table: Table) -> dict[str, Any] | None:
    """Return counts of objects and pictures for each class and split; None without annotations.

    `imbalance` is how many times as many objects the most frequent class has as the rarest.
    """
    if not table.drawn:
        return None
    objects: Counter[str] = Counter()
    pictures: Counter[str] = Counter()
    splits: defaultdict[str, Counter[str]] = defaultdict(Counter)
    areas, misplaced, empty = [0] * len(AREAS), 0, 0
    for row, drawn in table.drawn.items():
        here = Counter(drawn["classes"]) + Counter(drawn["labels"])
        objects += here
        pictures.update(here.keys())
        splits[table.words["split"][row] or "train"] += here
        areas = [one + more for one, more in zip(areas, drawn["areas"], strict=True)]
        misplaced += drawn["misplaced"]
        empty += not here
    return {
        "images": {
            "annotated": len(table.drawn) - empty,
            "empty": empty,
            "without": len(table.sound) - len(table.drawn),
        },
        "objects": sum(objects.values()),
        "misplaced": misplaced,
        "imbalance": _imbalance(objects),
        "classes": [
            {
                "name": name,
                "objects": count,
                "images": pictures[name],
                "splits": {split: counts[name] for split, counts in sorted(splits.items())},
            }
            for name, count in sorted(objects.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
        ],
        "areas": {"edges": [0.0, *AREAS], "counts": areas},
    }


def _imbalance(objects: Counter[str]) -> float | None:
    return round(max(objects.values()) / min(objects.values()), 3) if objects else None

"""Labels of a picture: which of those that a model gives are kept, and how they are written."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mediamill.adapters.providers.port import Box, Label
from mediamill.captions.wording import leftover, tidied

LONGEST_NAME = 100
MOST_BOXES = 100
"""Boxes that are kept of one label."""
MOST_SURE = 1_000
"""A number that no confidence is, and that a float can be."""
MOST_GIVEN = 5_000
"""Labels that are looked at in one answer."""
EDGE = 0.01
"""So much further than its edge a box may reach: models round."""


@dataclass(frozen=True)
class Labelling:
    """Which labels are kept: the surest, none below a confidence (0 to 1)."""

    most: int
    least: float

    def read(self, found: Mapping[str, Any]) -> tuple[Label, ...]:
        """Return what is kept of a document `{"labels": [{"name", "confidence"}]}`.

        Confidences of up to 100 are per cent where one is over 1. Raises `ValueError`, which says
        what is wrong, for what is no such document.
        """
        given = found.get("labels")
        if not isinstance(given, list) or len(given) > MOST_GIVEN:
            raise ValueError("it has no list of labels")
        labels = [_label(one) for one in given]
        if any(label.confidence > 1 for label in labels):
            labels = [replace(one, confidence=one.confidence / 100) for one in labels]
        return self.chosen(labels)

    def chosen(self, labels: Iterable[Label]) -> tuple[Label, ...]:
        """Return the surest labels first, each name once; raises `ValueError` for impossible ones.

        Which comes first of equals is settled by their names, so that it is always the same.
        """
        kept: dict[str, Label] = {}
        for label in map(_checked, labels):
            known = kept.get(label.name.casefold())
            if label.confidence >= self.least and (known is None or _surer(label, known)):
                kept[label.name.casefold()] = label
        ordered = sorted(kept.values(), key=lambda one: (-one.confidence, one.name))
        return tuple(ordered[: self.most])


def as_data(label: Label) -> dict[str, Any]:
    """Return a label as JSON has it; `boxes` and `parents` only where there are some."""
    data = {"name": label.name, "confidence": round(label.confidence, 4)}
    if label.boxes:
        data["boxes"] = [_rounded(box) for box in label.boxes]
    return data | ({"parents": list(label.parents)} if label.parents else {})


def _surer(label: Label, known: Label) -> bool:
    return label.confidence > known.confidence


def _rounded(box: Box) -> dict[str, float]:
    return {side: round(value, 5) for side, value in asdict(box).items()}


def _label(given: Any) -> Label:
    """Read one label of a document; raises `ValueError`."""
    if isinstance(given, dict):
        name, sure = given.get("name"), given.get("confidence")
        if isinstance(name, str) and isinstance(sure, int | float) and not isinstance(sure, bool):
            return Label(name, float(max(-1, min(sure, MOST_SURE))))
    raise ValueError("a label has no name and confidence")


def _checked(label: Label) -> Label:
    """Return a label as it is kept; raises `ValueError`."""
    name = tidied(label.name)
    if not name or len(name) > LONGEST_NAME:
        raise ValueError("a label's name is empty or too long")
    if why := leftover(name):
        raise ValueError(f"a label's name will not do: {why}")
    if not math.isfinite(label.confidence) or not 0 <= label.confidence <= 1:
        raise ValueError("a label's confidence is not from 0 to 1")
    boxes = tuple(box for box in map(_inside, label.boxes[:MOST_BOXES]) if box is not None)
    parents = tuple(filter(None, (tidied(one)[:LONGEST_NAME] for one in label.parents[:20])))
    return Label(name, label.confidence, boxes, parents)


def _inside(box: Box) -> Box | None:
    """Return a box within the picture, None where nothing is left of it; raises `ValueError`."""
    sides = box.left, box.top, box.left + box.width, box.top + box.height
    if not all(math.isfinite(side) and -EDGE <= side <= 1 + EDGE for side in sides):
        raise ValueError("a label's box is outside of the picture")
    left, top, right, bottom = (min(1.0, max(0.0, side)) for side in sides)
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None

"""What a set agrees on: its medians, how far images lie from them, and the reference."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mediamill.core.errors import InvalidInput
from mediamill.operations.work import Measure

STATISTICS = ("brightness", "contrast", "saturation", "sharpness", "noise", "width", "height")
"""Numbers that are compared as they are; the hue, which lies on a circle, is beside them."""
ROBUST = 1.4826
"""A median absolute deviation times this is the standard deviation of what is normal."""
PLAIN = 0.01
"""Below so much chroma a picture has no hue to speak of."""


@dataclass
class Survey:
    """The numbers of all pictures, column by column, and whose they are."""

    reference: str = "auto"
    columns: dict[str, "array[float]"] = field(
        default_factory=lambda: {name: array("d") for name in (*STATISTICS, "hue", "chroma")}
    )
    inputs: list[tuple[str, str, str, str]] = field(default_factory=list)
    """File, name, path and SHA-256 of each input that has pictures."""
    owners: "array[int]" = field(default_factory=lambda: array("q"))
    """Place of each picture's input there."""
    times: list[dict[str, Any]] = field(default_factory=list)
    """Where a frame is in its video; nothing of an image."""
    given: dict[str, Any] | None = None
    """The picture that was named as the reference, which need not be one of the set."""

    def add(self, measure: Measure) -> None:
        """Take the pictures of an input; raises `InvalidInput` for a reference that is broken."""
        if measure.file == self.reference and measure.error is not None:
            why = measure.error["message"]
            raise InvalidInput(f"The reference {measure.name} cannot be measured: {why}")
        of = (measure.file, measure.name, measure.path, measure.sha256)
        if measure.images and not measure.reference:
            self.inputs.append(of)
        for image in measure.images:
            info = image["info"]
            known = {**image, "width": info["width"], "height": info["height"]}
            numbers = {name: float(known[name]) for name in self.columns}
            times = {key: info[key] for key in ("pts", "time") if key in info}
            if measure.file == self.reference and self.given is None:
                self.given = _shown("given", of, times, numbers)
            if measure.reference:
                return
            for name, column in self.columns.items():
                column.append(numbers[name])
            self.owners.append(len(self.inputs) - 1)
            self.times.append(times)

    def agreed(self) -> dict[str, Any]:
        """Return the medians and deviations, and the reference: the most usual picture, or a given.

        Raises `InvalidInput` for a set without pictures, and a reference that is not among them.
        """
        count = len(self.owners)
        if not count:
            raise InvalidInput("No image of the set could be measured.")
        if self.reference != "auto" and self.given is None:
            raise InvalidInput(f"The reference {self.reference[:100]} is no image of the set.")
        medians = {name: _median(self.columns[name]) for name in STATISTICS}
        medians["hue"] = _mean_hue(self.columns["hue"], self.columns["chroma"])
        off = {name: array("d", self._off(name, medians[name])) for name in medians}
        spread = {name: ROBUST * _median(each) for name, each in off.items()}
        given = self.given
        if given is None:
            usual = min(range(count), key=lambda n: (_distance(off, spread, n), self._digest(n)))
            given = self._of_set(usual)
        rounded = {name: round(value, 6) for name, value in medians.items()}
        return {
            "images": count,
            "median": rounded,
            "spread": {name: round(value, 6) for name, value in spread.items()},
            "reference": given,
        }

    def _digest(self, n: int) -> str:
        """Return what decides between equals, whatever their order."""
        return self.inputs[self.owners[n]][3]

    def _of_set(self, n: int) -> dict[str, Any]:
        """Describe a picture of the set as the reference."""
        numbers = {key: column[n] for key, column in self.columns.items()}
        return _shown("auto", self.inputs[self.owners[n]], self.times[n], numbers)

    def _off(self, name: str, median: float) -> Iterator[float]:
        """Yield how far pictures are from a median; the plain have no hue that could be."""
        if name != "hue":
            yield from (abs(value - median) for value in self.columns[name])
            return
        for hue, chroma in zip(self.columns["hue"], self.columns["chroma"], strict=True):
            yield circular(hue, median) if chroma >= PLAIN else 0.0


def _shown(
    how: str, of: tuple[str, str, str, str], times: dict[str, Any], numbers: dict[str, float]
) -> dict[str, Any]:
    """Describe the reference: which picture it is, and its numbers."""
    file, name, path, sha256 = of
    which = {"chosen": how, "file": file, "name": name, "sha256": sha256}
    return {**which, **({"path": path} if path else {}), **times, "numbers": numbers}


def agreed(measures: Iterator[Measure], reference: str) -> dict[str, Any]:
    """Return what a set agrees on; raises as `Survey` does."""
    survey = Survey(reference)
    for measure in measures:
        survey.add(measure)
    return survey.agreed()


def circular(one: float, other: float) -> float:
    """Return how far apart two hues are, in turns: 0 … 0.5."""
    apart = abs(one - other) % 1
    return min(apart, 1 - apart)


def _distance(off: dict[str, "array[float]"], spread: dict[str, float], n: int) -> float:
    """Return how far a picture is from all medians, each by what is usual there."""
    return sum(each[n] / max(spread[name], 1e-6) for name, each in off.items())


def _median(values: "array[float]") -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _mean_hue(hues: "array[float]", chromas: "array[float]") -> float:
    x = sum(c * math.cos(2 * math.pi * h) for h, c in zip(hues, chromas, strict=True))
    y = sum(c * math.sin(2 * math.pi * h) for h, c in zip(hues, chromas, strict=True))
    return math.atan2(y, x) / (2 * math.pi) % 1


def outlying(numbers: dict[str, float], agreed: dict[str, Any], most: float) -> list[str]:
    """Return the numbers by which a picture is far from the set: more than `most` deviations."""
    found = []
    for name, median in agreed["median"].items():
        if name == "hue":
            off = circular(numbers["hue"], median) if numbers["chroma"] >= PLAIN else 0.0
        else:
            off = abs(numbers[name] - median)
        least = 0.02 * max(abs(median), 0.05)  # of a set all alike a trifle is not far
        if off > most * max(agreed["spread"][name], least):
            found.append(name)
    return found

"""The measures of a set as columns: a row for each picture, and for each input that is broken."""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan
from typing import Any, BinaryIO

from mediamill.operations.work import Measure

NUMBERS = (
    "luminance", "sharpness", "contrast_michelson", "contrast_rms", "mean_red", "mean_green",
    "mean_blue", "snr_red", "snr_green", "snr_blue", "width", "height", "aspect_ratio", "size",
    "visible", "objects",
)  # fmt: skip
"""Columns that are numbers; missing ones are NaN."""
WORDS = ("file", "name", "path", "sha256", "media_type", "split", "group", "hash")
_CHANNELS = ("red", "green", "blue")
_LENGTH = struct.Struct("<I")


def _columns() -> dict[str, "array[float]"]:
    return {name: array("d") for name in NUMBERS}


@dataclass
class Table:
    """All rows; texts that repeat are kept once, fingerprints in a file."""

    spool: BinaryIO
    items: "array[int]" = field(default_factory=lambda: array("q"))
    pictures: "array[int]" = field(default_factory=lambda: array("q"))
    """Which of the input's pictures a row is: 0 for an image, 0, 1, 2 … for frames."""
    depths: "array[int]" = field(default_factory=lambda: array("q"))
    """8 or 16; 0 for a broken input."""
    numbers: dict[str, "array[float]"] = field(default_factory=_columns)
    words: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in WORDS})
    times: "array[float]" = field(default_factory=lambda: array("d"))
    """Seconds into the video; NaN for an image."""
    errors: dict[int, dict[str, str]] = field(default_factory=dict)
    """Code and message of the rows that are broken inputs."""
    drawn: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What is drawn on the pictures of rows that are annotated."""
    inputs: int = 0
    _known: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def sound(self) -> list[int]:
        """The rows that are pictures."""
        return [row for row in range(len(self)) if row not in self.errors]

    def add(self, measure: Measure) -> None:
        """Take up the pictures of an input, or that it is broken."""
        self.inputs += 1
        if measure.error is not None:
            self.errors[len(self)] = dict(measure.error)
            self._row(measure, 0, {})
        for n, image in enumerate(measure.images):
            self._row(measure, n, image)

    def _row(self, measure: Measure, n: int, image: dict[str, Any]) -> None:
        row, info = len(self), image.get("info", {})
        self.items.append(measure.item)
        self.pictures.append(n)
        self.depths.append(image.get("depth", 0))
        self.times.append(info.get("time", float("nan")))
        known = {**vars(measure), "hash": image.get("hash", "")}
        for name, texts in self.words.items():
            texts.append(self._known.setdefault(known[name], known[name]))
        for name, value in _numbers(measure, image, info).items():
            self.numbers[name].append(float("nan") if value is None else value)
        if "annotations" in image:
            self.drawn[row] = image["annotations"]
        text = image.get("fingerprint", "").encode()
        self.spool.write(_LENGTH.pack(len(text)) + text)

    def fingerprints(self) -> Iterator[str]:
        """Yield the fingerprint of each row; empty where it has none."""
        self.spool.seek(0)
        while head := self.spool.read(_LENGTH.size):
            yield self.spool.read(_LENGTH.unpack(head)[0]).decode()

    def shown(self, row: int) -> dict[str, Any]:
        """Say which picture a row is."""
        known = {name: self.words[name][row] for name in ("file", "name", "path", "split")}
        which = {"row": row, "item": self.items[row], **known}
        if not isnan(self.times[row]):
            which["time"] = self.times[row]
        return {key: value for key, value in which.items() if value != ""}


def _numbers(
    measure: Measure, image: dict[str, Any], info: dict[str, Any]
) -> dict[str, float | None]:
    width, height = info.get("width"), info.get("height")
    mean, snr = image.get("mean", [None] * 3), image.get("snr", [None] * 3)
    plain = ("luminance", "sharpness", "contrast_michelson", "contrast_rms", "visible")
    return {
        **{name: image.get(name) for name in plain},
        **{f"mean_{name}": value for name, value in zip(_CHANNELS, mean, strict=True)},
        **{f"snr_{name}": value for name, value in zip(_CHANNELS, snr, strict=True)},
        "width": width,
        "height": height,
        "aspect_ratio": width / height if width and height else None,
        "size": measure.size if image else None,
        "objects": image["annotations"]["objects"] if "annotations" in image else None,
    }

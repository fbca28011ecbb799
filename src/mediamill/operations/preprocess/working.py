"""One picture on its way through the methods of preprocess, and the report of what was done."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mediamill.annotations.geometry import moved
from mediamill.media.image.depth import Pixels
from mediamill.media.image.effects import corrections
from mediamill.media.image.geometry import placing
from mediamill.media.image.numbers.levels import levels, span
from mediamill.media.image.picture import Picture
from mediamill.operations.preprocess.agreeing import PLAIN, circular, outlying

if TYPE_CHECKING:
    from mediamill.annotations.model import ImageAnnotations
    from mediamill.media.image.geometry.warp import Warp
    from mediamill.operations.preprocess.parameters import PreprocessParameters

Report = dict[str, Any]
TONAL: dict[str, tuple[str, Callable[[Pixels, float], Pixels]]] = {
    "normalize-brightness": ("brightness", corrections.brightened),
    "normalize-contrast": ("contrast", corrections.contrasted),
    "normalize-saturation": ("saturation", corrections.saturated),
    "normalize-sharpness": ("sharpness", corrections.sharpened),
}
"""Methods that bring one number to the reference's: which, and how."""


def measured(picture: Picture) -> Mapping[str, float]:
    """Return the numbers of a picture, which are measured once."""
    if picture.numbers is None:
        picture.numbers = levels(picture.array())
    return picture.numbers


class Work:
    """One picture under way; the numbers are those of its pixels as they are at each method."""

    def __init__(
        self, image: Picture, told: "PreprocessParameters", agreed: dict[str, Any]
    ) -> None:
        self._image, self._told, self._agreed = image, told, agreed
        self._pixels: Pixels = image.array()
        self._annotations: ImageAnnotations | None = image.annotations
        self._numbers: Mapping[str, float] | None = None
        self._cut = False
        self._report: dict[str, Report] = {}
        self._reference: dict[str, float] = agreed.get("reference", {}).get("numbers", {})

    def do(self, method: str) -> None:
        """Do one method, or leave it where the picture is as the reference."""
        if method in TONAL:
            self._report[method] = self._bring(*TONAL[method])
        else:
            act: Callable[[], Report] = getattr(self, f"_{method.replace('-', '_')}")
            self._report[method] = act()

    def pictures(self) -> Iterator[Picture]:
        """Yield what has become of the picture: one, or its tiles."""
        if not self._cut:
            yield self._made(self._pixels, self._annotations, {})
            return
        told = self._told
        cuts = placing.tiles(self._pixels, told.rows, told.columns, told.overlap)
        for n, (pixels, warp) in enumerate(cuts):
            at = {"tile": {"row": n // told.columns, "column": n % told.columns}}
            yield self._made(pixels, self._followed(pixels, warp), at)

    def _made(
        self, pixels: Pixels, annotations: "ImageAnnotations | None", more: dict[str, Any]
    ) -> Picture:
        known = self._agreed.get("reference")
        said: dict[str, Any] = {"methods": self._report}
        if known:
            said["reference"] = {"chosen": known["chosen"]}  # which it is the job says, once
        info = {**self._image.info, "preprocess": said, **more}
        if pixels is self._image.array():
            return self._image.kept(info)
        return self._image.made(pixels, info, annotations)

    @property
    def numbers(self) -> Mapping[str, float]:
        """The numbers of the pixels as they are now."""
        if self._numbers is None:
            same = self._pixels is self._image.array()
            self._numbers = measured(self._image) if same else levels(self._pixels)
        return self._numbers

    # -- what is compared -----------------------------------------------------------------------

    def _bring(self, name: str, correct: Callable[[Pixels, float], Pixels]) -> Report:
        """Bring a number to the reference's where it deviates, if that brings it nearer."""
        here, there = self.numbers[name], self._reference[name]
        report = {"measured": here, "reference": there}
        if not self._deviates(here, there):
            return {**report, "applied": False}
        return {**report, **self._tried(correct(self._pixels, there), name, there)}

    def _tried(self, made: Pixels, name: str, there: float) -> Report:
        """Keep pixels whose number is nearer to the reference's; say what it is now."""
        numbers = levels(made)
        before, after = (_apart(name, each[name], there) for each in (self.numbers, numbers))
        if after >= before:
            return {"applied": False, "why": "it would not be nearer"}
        self._pixels, self._numbers = made, numbers
        return {"applied": True, "after": numbers[name]}

    def _normalize_hue(self) -> Report:
        here, there = self.numbers["hue"], self._reference["hue"]
        report: Report = {"measured": here, "reference": there}
        if min(self.numbers["chroma"], self._reference["chroma"]) < PLAIN:
            return {**report, "applied": False, "why": "one of them is all but grey"}
        if circular(here, there) <= self._told.threshold * 0.5:
            return {**report, "applied": False}
        turned = corrections.hue_turned(self._pixels, (there - here) % 1)
        return {**report, **self._tried(turned, "hue", there)}

    def _denoise(self) -> Report:
        here, told = self.numbers["noise"], self._told.strength
        if told is not None:
            self._put(corrections.denoised(self._pixels, told))
            return {"measured": here, "strength": told, "applied": True}
        there = self._reference["noise"]
        report = {"measured": here, "reference": there}
        if here - there <= self._told.threshold * max(there, 1e-3):
            return {**report, "applied": False}
        return {**report, **self._tried(corrections.denoised(self._pixels, here), "noise", there)}

    def _equalize_histogram(self) -> Report:
        """Equalize where contrast is low; with a reference, only where it is lower than there."""
        here, low = span(self._pixels), self._told.low_contrast
        report: Report = {"measured": here, "limit": low}
        there = self._reference.get("contrast")
        enough = there is not None and not self._deviates(self.numbers["contrast"], there)
        if here >= low or enough:
            return {**report, "applied": False}
        made = corrections.equalized(self._pixels, clahe=self._told.equalization == "clahe")
        if there is not None:
            return {**report, **self._tried(made, "contrast", there)}
        self._put(made)
        return {**report, "applied": True}

    def _deviates(self, here: float, there: float) -> bool:
        return abs(here - there) > self._told.threshold * max(abs(there), 1e-6)

    def _remove_outliers(self) -> Report:
        """Mark a picture that came far from the set; it is changed as little as any other."""
        known = measured(self._image)
        size = {"width": float(self._image.width), "height": float(self._image.height)}
        by = outlying({**known, **size}, self._agreed, self._told.outlier_distance)
        return {"applied": False, "outlier": bool(by), "by": by}

    # -- where pixels go ------------------------------------------------------------------------

    def _auto_orient(self) -> Report:
        return {"applied": self._image.turned}  # pictures come upright

    def _rotate_to_reference(self) -> Report:
        wide, high = self._size
        there = self._reference["width"] / self._reference["height"]
        report = {"measured": round(wide / high, 6), "reference": round(there, 6)}
        if wide == high or there == 1 or (wide > high) == (there > 1):
            return {**report, "applied": False}
        self._place(*placing.quarter_turned(self._pixels))
        return {**report, "applied": True, "degrees": 90}

    def _crop(self) -> Report:
        assert self._told.crop is not None  # noqa: S101 - the parameters were checked
        self._place(*placing.cropped(self._pixels, *self._told.crop))
        return {"applied": True}

    def _resize(self) -> Report:
        return self._resized(self._told.width, self._told.height)

    def _resize_to_reference(self) -> Report:
        told = self._told
        if told.width or told.height:
            return self._resized(told.width, told.height)
        return self._resized(int(self._reference["width"]), int(self._reference["height"]))

    def _resized(self, width: int | None, height: int | None) -> Report:
        before, told = self._size, self._told
        self._place(*placing.scaled(self._pixels, width, height, told.fit, told.background))
        after = self._size
        return {"measured": [*before], "applied": after != before, "after": [*after]}

    def _tile(self) -> Report:
        self._cut = True
        return {"applied": True}

    def _grayscale(self) -> Report:
        self._put(corrections.greyed(self._pixels))
        return {"applied": True}

    @property
    def _size(self) -> tuple[int, int]:
        return int(self._pixels.shape[1]), int(self._pixels.shape[0])

    def _put(self, pixels: Pixels) -> None:
        self._pixels, self._numbers = pixels, None

    def _place(self, pixels: Pixels, warp: "Warp") -> None:
        self._annotations = self._followed(pixels, warp)
        self._put(pixels)

    def _followed(self, pixels: Pixels, warp: "Warp") -> "ImageAnnotations | None":
        """Return the annotations where the pixels have gone."""
        if self._annotations is None:
            return None
        height, width = pixels.shape[:2]
        return moved(self._annotations, warp, width, height, self._told.min_visibility)


def _apart(name: str, one: float, other: float) -> float:
    return circular(one, other) if name == "hue" else abs(one - other)

"""Pictures as a model wants them, made as `preprocessor_config.json` says.

It does what the image processors of Transformers do (transformers/image_transforms.py and
models/*/image_processing_*.py), with Pillow as they do, so that a model sees what it was trained
on: resize, crop to the middle, rescale, normalise, swap channels. A processor that does more is
refused: a picture that is prepared wrongly gives an answer that is wrong without a sign.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from mediamill.core.errors import ProviderRefused, QuestionRefused, cause_of

Pixels = npt.NDArray[np.float32]
FORMATS = {"image/jpeg": ("JPEG",), "image/png": ("PNG",)}
MOST_SIDE = 8192
"""Pixels of a picture that is decoded."""
MOST_SIZE = 1024
"""Pixels of a side of what a model takes."""
SQUARE = ("vit", "deit", "beit", "blip", "siglip")
"""Families whose `size`, where it is one number, is both sides."""
SHORTEST = ("clip", "convnext", "bit", "mobilenetv1", "mobilenetv2", "mobilevit")
"""Families whose `size`, where it is one number, is the shorter side."""
CROPPING = ("deit", "beit", "clip", "bit", "mobilenetv1", "mobilenetv2", "mobilevit")
"""Families that keep the middle unless they are told not to."""
CROPPED_BY_PART = 384
"""ConvNeXT: below this size the picture is made larger by `crop_pct`, then cropped."""
UNKNOWN = ("do_pad", "do_thumbnail", "do_align_long_axis", "do_reduce_labels", "include_top",
           "rescale_offset", "do_split_image", "do_image_splitting")  # fmt: skip


@dataclass(frozen=True)
class Processor:
    """What is done to a picture, in this order; what is None or empty is left out."""

    exact: tuple[int, int] | None = None
    """Height and width that it is resized to."""
    shortest: int | None = None
    """The shorter side that it is resized to, where `exact` is not given."""
    resample: int = Image.Resampling.BILINEAR
    crop: tuple[int, int] | None = None
    """Height and width of the middle that is kept; what is missing is black."""
    scale: float | None = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    flipped: bool = False
    """Blue first."""
    last: bool = False
    """Channels last: (height, width, 3)."""

    def __call__(self, data: bytes, media_type: str) -> Pixels:
        """Return a picture as (3, height, width), or (height, width, 3) with `last`.

        Raises `QuestionRefused` for a picture that cannot be decoded.
        """
        image = _cropped(self._resized(decoded(data, media_type)), self.crop)
        values = image.astype(np.float32)
        if self.scale is not None:
            values = values * np.float32(self.scale)
        if self.mean:
            mean, std = (np.array(numbers, np.float32) for numbers in (self.mean, self.std))
            values = (values - mean) / std
        if self.flipped:
            values = values[..., ::-1]
        return np.ascontiguousarray(values if self.last else values.transpose(2, 0, 1))

    def _resized(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        height, width = self.exact or self._from_shortest(image.width, image.height)
        resample = Image.Resampling(self.resample)
        return np.asarray(image.resize((width, height), resample))

    def _from_shortest(self, width: int, height: int) -> tuple[int, int]:
        """Return height and width; a long side over `MOST_SIDE` is refused, as no memory lasts."""
        if self.shortest is None:
            return height, width
        short, long = sorted((width, height))
        other = int(self.shortest * long / short)
        if other > MOST_SIDE:
            raise QuestionRefused("The picture is too long and narrow for the model.")
        return (other, self.shortest) if width <= height else (self.shortest, other)


def decoded(data: bytes, media_type: str) -> Image.Image:
    """Return a picture in RGB with 8 bits, without its alpha; raises `QuestionRefused`."""
    formats = FORMATS.get(media_type)
    if formats is None:
        raise QuestionRefused(f"Local models are shown JPEG and PNG, not {media_type}.")
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            if max(image.size) > MOST_SIDE:
                raise QuestionRefused(f"The picture is larger than {MOST_SIDE} pixels.")
            image.load()
            if image.mode.startswith("I"):  # 16 bits: Pillow would clip them, not shrink them
                deep = np.asarray(image).astype(np.uint32)
                return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
            return image.convert("RGB")
    except QuestionRefused:
        raise
    except Exception as error:  # decoders raise far more than their documented errors
        cause = cause_of(error)
        raise QuestionRefused("The picture is cut off or damaged.", cause=cause) from None


def processor_of(config: Mapping[str, Any], *, last: bool = False) -> Processor:
    """Read `preprocessor_config.json`; raises `ProviderRefused` for what is not known."""
    if not config:
        raise ProviderRefused("The model has no preprocessor_config.json.")
    family = _family(config)
    missing = [name for name in _needed(config, family) if config.get(name) is None]
    if missing:
        raise ProviderRefused(f"preprocessor_config.json does not say {missing[0]}.")
    strange = [name for name in UNKNOWN if config.get(name)]
    if strange:
        raise ProviderRefused(f"preprocessor_config.json asks for {strange[0]}, which is not done.")
    try:
        exact, shortest, crop = _sizes(config, family)
        normalised = _normalised(config, family)
        mean, std = (
            tuple(float(value) for value in config.get(name, (0.5, 0.5, 0.5)))
            if normalised else () for name in ("image_mean", "image_std")
        )  # fmt: skip
        scale = float(config.get("rescale_factor", 1 / 255))
        made = Processor(
            exact, shortest, int(config.get("resample", Image.Resampling.BILINEAR)), crop,
            scale if config.get("do_rescale", True) else None, mean, std,
            bool(config.get("do_flip_channel_order")), last,
        )  # fmt: skip
        Image.Resampling(made.resample)
    except (TypeError, ValueError, KeyError) as error:
        raise ProviderRefused(f"preprocessor_config.json cannot be understood: {error}") from None
    return _checked(made)


def _needed(config: Mapping[str, Any], family: str) -> list[str]:
    """Return what has to be said: what is left out means something else in each family."""
    if family == "vit":
        return []
    needed = ["size", "resample"]
    needed += ["image_mean", "image_std"] if _normalised(config, family) else []
    needed += ["do_center_crop"] if family in CROPPING else []
    return [*needed, "crop_pct"] if family == "convnext" else needed


def _normalised(config: Mapping[str, Any], family: str) -> bool:
    return bool(config.get("do_normalize", True)) and family != "mobilevit"


def _checked(made: Processor) -> Processor:
    sides = [*(made.exact or ()), *(made.crop or ()), made.shortest or 1]
    if not all(1 <= side <= MOST_SIZE for side in sides):
        raise ProviderRefused(f"preprocessor_config.json asks for a picture of {max(sides)} pixels")
    if (made.mean and (len(made.mean), len(made.std)) != (3, 3)) or 0.0 in made.std:
        raise ProviderRefused("preprocessor_config.json has no three means and deviations")
    return made


def _family(config: Mapping[str, Any]) -> str:
    """Return the processor's name without its ending, in small letters; `vit` for none."""
    name = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "ViT")
    for ending in ("Fast", "ImageProcessor", "FeatureExtractor"):
        name = name.removesuffix(ending)
    family = name.lower().replace("_", "")
    if family not in (*SQUARE, *SHORTEST):
        raise ProviderRefused(
            f"The model’s pictures are prepared by {name}, which is none of: "
            f"{', '.join(sorted((*SQUARE, *SHORTEST)))}."
        )
    return family


def _sizes(
    config: Mapping[str, Any], family: str
) -> tuple[tuple[int, int] | None, int | None, tuple[int, int] | None]:
    """Return height and width, shorter side, and height and width of the crop."""
    exact, shortest = _size(config.get("size", 224), square=family in SQUARE)
    crop = None
    if config.get("do_center_crop"):
        crop, _ = _size(config.get("crop_size", config.get("size", 224)), square=True)
    part = config.get("crop_pct")
    if family == "convnext" and shortest is not None and part:
        if shortest < CROPPED_BY_PART:
            crop, shortest = (shortest, shortest), int(shortest / float(part))
        else:
            exact, shortest = (shortest, shortest), None
    if not config.get("do_resize", True):
        exact = shortest = None
    return exact, shortest, crop


def _size(said: Any, *, square: bool) -> tuple[tuple[int, int] | None, int | None]:
    """Return height and width, or the shorter side."""
    if isinstance(said, Mapping):
        if {"height", "width"} <= said.keys():
            return (int(said["height"]), int(said["width"])), None
        if "shortest_edge" in said and "longest_edge" not in said:
            return None, int(said["shortest_edge"])
        raise ValueError(f"size is {dict(said)}")
    if isinstance(said, (list, tuple)):
        height, width = cast("list[int]", said)
        return (int(height), int(width)), None
    return ((int(said), int(said)), None) if square else (None, int(said))


def _cropped(image: npt.NDArray[np.uint8], crop: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Return the middle of a picture; with a black border where it is smaller."""
    if crop is None:
        return image
    missing = [max(0, want - have) for want, have in zip(crop, image.shape[:2], strict=True)]
    if any(missing):
        border = [(math.ceil(gap / 2), gap - math.ceil(gap / 2)) for gap in missing]
        image = np.pad(image, [*border, (0, 0)])
    top, left = ((have - want) // 2 for want, have in zip(crop, image.shape[:2], strict=True))
    return image[top : top + crop[0], left : left + crop[1]]

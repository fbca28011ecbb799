"""What a format or its encoder cannot do is said as such."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mediamill.core.errors import LimitExceeded
from mediamill.media.image.codecs.encode import encode
from mediamill.media.image.codecs.encoding import LONGEST


@pytest.mark.parametrize("form", LONGEST)
def test_sides_that_a_format_cannot_have(form: str):
    with pytest.raises(LimitExceeded, match="choose PNG"):
        encode(np.zeros((2, LONGEST[form] + 1, 3), np.uint8), form)
    assert encode(np.zeros((LONGEST[form] + 1, 2, 3), np.uint8), "png")
    assert form == "avif" or encode(np.zeros((2, LONGEST[form], 3), np.uint8), form)


def test_an_encoder_without_room_is_no_defect(monkeypatch: pytest.MonkeyPatch):
    def save(*told: object, **more: object) -> None:
        raise RuntimeError("Failed to encode image: Encoding of color planes failed")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(MemoryError):
        encode(np.zeros((4, 4, 3), np.uint8), "avif")
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, None))
    with pytest.raises(MemoryError):
        encode(np.zeros((4, 4, 3), np.uint8), "png")


@pytest.mark.parametrize(
    ("form", "channels"),
    [("jpeg", 1), ("jpeg", 3), ("jpeg", 4), ("webp", 3), ("webp", 4), ("avif", 3)],
)
def test_sixteen_bits_are_rounded_where_there_are_eight(form: str, channels: int):
    levels = np.linspace(0, 65535, 32).round().astype(np.uint16)
    pixels = np.broadcast_to(levels[None, :, None], (16, 32, channels)).copy()
    pixels[..., 3:] = 65535
    made = np.array(Image.open(io.BytesIO(encode(pixels, form, 95))).convert("L"))
    assert made.shape == (16, 32)
    assert np.abs(made.astype(int) - levels // 257).max() <= 8

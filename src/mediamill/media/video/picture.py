"""A video frame as a picture: converted only when asked, straight from its planes for JPEG."""

from typing import cast

from mediamill.media.image.encode import Format
from mediamill.media.image.jpeg import encode_planes
from mediamill.media.image.orient import UPRIGHT
from mediamill.media.image.picture import Picture, Pixels, fitted
from mediamill.media.video.colour import jpeg_planes, rgb
from mediamill.media.video.container import translated
from mediamill.media.video.reader import Frame


class FramePicture(Picture):
    """An upright frame. Samples are taken as square: the sample aspect ratio is only reported."""

    def __init__(self, frame: Frame, size: tuple[int, int] | None = None) -> None:
        self._frame = frame
        self._orientation = frame.orientation
        stored = frame.pixels.width, frame.pixels.height
        self._size = size or self._orientation.size(*stored)
        self.info = {
            "index": frame.index,
            "pts": frame.pts,
            "time": round(frame.time, 6),
            "key_frame": frame.key_frame,
        }

    @property
    def width(self) -> int:
        return self._size[0]

    @property
    def height(self) -> int:
        return self._size[1]

    def array(self) -> Pixels:
        stored = self._orientation.size(*self._size)
        with translated(f"frame {self._frame.index}"):
            pixels = rgb(self._frame.pixels, *stored)
        return cast("Pixels", self._orientation.apply(pixels))

    def encode(self, form: Format, quality: int = 85) -> bytes:
        planes = self._planes() if form == "jpeg" else None
        if planes is None:
            return super().encode(form, quality)
        return encode_planes(*planes, quality)

    def fit(self, width: int | None, height: int | None) -> "FramePicture":
        return FramePicture(self._frame, fitted(*self._size, width, height))

    def squared(self, aspect: float) -> "FramePicture":
        """Return the picture with samples of `aspect` (width ÷ height) made square by shrinking."""
        if not 0.1 < aspect < 10:
            return self
        width, height = self._orientation.size(*self._size)
        width, height = round(width * min(1.0, aspect)), round(height / max(1.0, aspect))
        return FramePicture(self._frame, self._orientation.size(max(1, width), max(1, height)))

    def _planes(self) -> tuple[Pixels, Pixels, Pixels] | None:
        with translated(f"frame {self._frame.index}"):
            planes = jpeg_planes(self._frame.pixels, *self._orientation.size(*self._size))
        if planes is None or self._orientation == UPRIGHT:
            return planes
        if self._orientation.transpose and "422" in self._frame.pixels.format.name:
            return None
        y, cb, cr = (cast("Pixels", self._orientation.apply(plane)) for plane in planes)
        return y, cb, cr

"""A video frame as a picture: converted only when asked, straight from its planes for JPEG."""

from typing import cast

from av.video.frame import VideoFrame

from mediamill.media.image.codecs.encoding import AnyFormat, fitted
from mediamill.media.image.codecs.jpeg import Pixels, encode_planes
from mediamill.media.image.orient import UPRIGHT
from mediamill.media.image.picture import Picture
from mediamill.media.video.colour import deep_rgb, jpeg_planes, rgb
from mediamill.media.video.container import translated
from mediamill.media.video.deinterlace import progressive
from mediamill.media.video.grade import grade_of
from mediamill.media.video.reader import Frame


class FramePicture(Picture):
    """An upright frame with square samples: made square by shrinking, never by enlarging.

    `deinterlace` takes the combs out of interlaced frames.
    """

    def __init__(
        self, frame: Frame, size: tuple[int, int] | None = None, *, deinterlace: bool = True
    ) -> None:
        self._frame, self._deinterlace = frame, deinterlace
        self._orientation, self.turned = frame.orientation, frame.orientation != UPRIGHT
        self._grade = grade_of(frame.pixels, frame.peak)
        stored = frame.pixels.width, frame.pixels.height
        self._size = size or self._orientation.size(*squared(*stored, frame.aspect))
        self.info = {
            "index": frame.index,
            "pts": frame.pts,
            "time": round(frame.time, 6),
            "key_frame": frame.key_frame,
            **({"corrupt": True} if frame.corrupt else {}),
        }

    @property
    def width(self) -> int:
        return self._size[0]

    @property
    def height(self) -> int:
        return self._size[1]

    def array(self) -> Pixels:
        stored = self._orientation.size(*self._size)
        grade = self._grade
        with translated(f"frame {self._frame.index}"):
            frame = self._whole()
            pixels = grade.apply(deep_rgb(frame, *stored)) if grade else rgb(frame, *stored)
        return cast("Pixels", self._orientation.apply(pixels))

    def encode(self, form: AnyFormat, quality: int = 85) -> bytes:
        planes = self._planes() if form == "jpeg" else None
        if planes is None:
            return super().encode(form, quality)
        return encode_planes(*planes, quality)

    def fit(self, width: int | None, height: int | None) -> "FramePicture":
        size = fitted(*self._size, width, height)
        return FramePicture(self._frame, size, deinterlace=self._deinterlace)

    def _whole(self) -> VideoFrame:
        return progressive(self._frame.pixels) if self._deinterlace else self._frame.pixels

    def _planes(self) -> tuple[Pixels, Pixels, Pixels] | None:
        if self._grade:
            return None
        with translated(f"frame {self._frame.index}"):
            planes = jpeg_planes(self._whole(), *self._orientation.size(*self._size))
        if planes is None or self._orientation == UPRIGHT:
            return planes
        if self._orientation.transpose and "422" in self._frame.pixels.format.name:
            return None
        y, cb, cr = (cast("Pixels", self._orientation.apply(plane)) for plane in planes)
        return y, cb, cr


def squared(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Return the size at which samples of `aspect` (width ÷ height) are square; none is larger."""
    return max(1, round(width * min(1.0, aspect))), max(1, round(height / max(1.0, aspect)))

"""How the frames of a video are to be turned; whoever only looks at one needs no pixels for it."""

from typing import Any

from av.video.frame import VideoFrame

from mediamill.media.image.orient import UPRIGHT, Orientation, from_display_matrix


def orientation(frame: VideoFrame) -> Orientation:
    """Return how frames are to be turned, by the display matrix of one of them.

    Ask once per video: PyAV ties a frame whose side data was read into a reference cycle, so each
    would stay in memory until the garbage collector comes by.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if data is None else from_display_matrix(bytes(data))

"""Which codec libraries are here, in which versions."""

import av
import cv2
import PIL
import simplejpeg  # type: ignore[import-untyped]  # has stubs, yet no py.typed to announce them


def versions() -> dict[str, str]:
    """Return the version of each library by its name; empty for an optional one that is missing."""
    ffmpeg = ".".join(map(str, av.library_versions["libavcodec"]))
    return {
        "PyAV": av.__version__,
        "libavcodec": ffmpeg,
        "OpenCV": cv2.__version__,
        "Pillow": PIL.__version__,
        "simplejpeg": simplejpeg.__version__,
        "pillow-heif": _heif(),
    }


def _heif() -> str:
    try:
        import pillow_heif
    except ImportError:
        return ""
    return str(pillow_heif.__version__)

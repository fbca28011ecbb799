"""Which versions of what changes pixels are here, told without importing any of it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

NAMES = (
    "mediamill", "numpy", "opencv-python-headless", "av", "pillow", "simplejpeg", "pillow-heif",
)  # fmt: skip


@cache
def libraries() -> dict[str, str]:
    """Return the installed versions by name; what is not there is left out."""
    found = {}
    for name in NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

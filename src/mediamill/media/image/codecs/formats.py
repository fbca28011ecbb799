"""Which image formats are read, and how large images may be."""

FORMATS: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/webp": ("WEBP",),
    "image/gif": ("GIF",),
    "image/tiff": ("TIFF",),
    "image/bmp": ("BMP",),
    "image/avif": ("AVIF",),
    "image/heic": ("HEIF",),
}
"""Pillow's formats by media type: a file is only ever opened as what its first bytes say."""

MAX_PIXELS = 50_000_000
"""Pixels of all frames of an image together."""

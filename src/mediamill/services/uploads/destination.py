"""Where the bytes of direct uploads go: pages may send nothing elsewhere but there."""

from mediamill.blobs.port import SupportsPresigned
from mediamill.services.uploads.direct import Direct


def destination(direct: Direct) -> str:
    """Return the origin of the bucket as its senders see it; empty where they send nothing to it.

    It is known from the beginning: a page can be shown whatever becomes of the bucket.
    """
    blobs = direct.blobs
    return blobs.origin if direct.offered and isinstance(blobs, SupportsPresigned) else ""

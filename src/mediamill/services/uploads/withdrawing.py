"""Remove what a direct upload has left in the bucket."""

from mediamill.blobs.port import Blobs, SupportsPresigned
from mediamill.store.repositories.uploads import Upload


async def withdraw(blobs: Blobs, upload: Upload) -> None:
    """Remove what arrived of a direct upload, its parts too.

    A request that was signed before may still write: the last removal is that of the upload's
    expiry, when none works any more.
    """
    if upload.multipart and isinstance(blobs, SupportsPresigned):
        await blobs.abort_parts(upload.arriving, upload.multipart)
    await blobs.delete(upload.arriving)

"""Where the bytes of direct uploads go: pages may send nothing elsewhere but there."""

from contextlib import suppress
from dataclasses import dataclass, field

from mediamill.blobs.port import SupportsPresigned
from mediamill.core.errors import MediamillError
from mediamill.services.uploads.direct import Direct


@dataclass
class Destination:
    """The bucket as its senders see it."""

    direct: Direct
    _origin: str = field(default="", init=False)

    async def origin(self) -> str:
        """Return the origin of addresses that are signed; empty where none is, or can be now."""
        blobs = self.direct.blobs
        if not self._origin and self.direct.offered and isinstance(blobs, SupportsPresigned):
            with suppress(MediamillError):  # credentials that cannot be had at the moment
                self._origin = await blobs.origin()
        return self._origin

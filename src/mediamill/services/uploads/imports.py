"""Bring files in from web addresses: the row at once, the bytes in the background."""

from dataclasses import dataclass
from urllib.parse import unquote

from mediamill.adapters.brokers.port import Doorbell
from mediamill.adapters.fetch.addresses import Target
from mediamill.adapters.fetch.client import Fetcher
from mediamill.core.access import Principal
from mediamill.media.archive.names import safe_name
from mediamill.services.uploads.arriving import Arrivals
from mediamill.services.uploads.recording import Label
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit

KLASS = "transfer"
IMPORTED = Label("import")


@dataclass
class Imports:
    """Accepts addresses of files; `handlers/files/fetch.py` fetches them."""

    arrivals: Arrivals
    fetcher: Fetcher
    bell: Doorbell

    async def begin(
        self, principal: Principal, url: str, name: str = "", label: Label = IMPORTED
    ) -> File:
        """List a file as `receiving` that will be fetched from an address.

        Without a name it gets the one of the answer, else the last part of the address. Raises
        `AddressRefused` for what can be told from the address alone; what shows only later makes
        the file `rejected`, with the reason, also another digest than the label's.
        `lineage.origin` is the address without its query.
        """
        target = self.fetcher.check(url)
        file = await self.arrivals.begin(
            principal,
            name or name_of(target),
            None,
            label.source,
            tags=label.tags,
            lineage={**label.lineage, "origin": target.shown},
            work=lambda file: fetching(file, url, label.sha256, named=bool(name)),
        )
        await self.bell.ring(f"work:{KLASS}")
        return file


def fetching(file: File, url: str, sha256: str | None, *, named: bool) -> Unit:
    """Make the unit that fetches a file."""
    return Unit(
        group=f"fetch:{file.id}",
        seq=0,
        kind="fetch",
        owner=file.owner,
        klass=KLASS,
        payload={"file": file.id, "url": url, "named": named, "sha256": sha256},
        created=file.created,
    ).opened(file.created)


def name_of(target: Target) -> str:
    """Return the last part of an address as a file name, else its host."""
    last = unquote(target.path.partition("?")[0].rstrip("/").rpartition("/")[2])
    return safe_name(last, default=safe_name(target.host))

"""From where to where: what the options of a move mean beside the present settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from mediamill.blobs.keys import of_results
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.core.urls import overlap, shown


@dataclass(frozen=True)
class Targets:
    """URLs of the places to move to; what is empty stays where it is."""

    store: str = ""
    blobs: str = ""
    results: str = ""


@dataclass(frozen=True)
class Route:
    """One place whose bytes move, or those of them that are results, or that are not."""

    source: str
    target: str
    option: str
    """What names the target on the command line."""
    results: bool | None = None
    """Only results, only originals, or (None) all."""

    def takes(self, key: str) -> bool:
        """Tell whether an object goes this way."""
        return self.results is None or self.results is of_results(key)


@dataclass(frozen=True)
class Places:
    """An installation by its settings, and where it moves."""

    settings: Settings
    to: Targets

    def __post_init__(self) -> None:
        if not (self.to.store or self.to.blobs or self.to.results):
            raise ConfigurationError(
                "Say where to: --to-store, --to-blobs and --to-results, alone or together."
            )
        for option, source, target in self._pairs():
            if target and overlap(source, target):
                raise ConfigurationError(
                    f"{option}: {shown(target)} and {shown(source)} are the same place, or one "
                    "is in the other. Name a place of its own."
                )

    def _pairs(self) -> Iterator[tuple[str, str, str]]:
        here, to = self.settings, self.to
        yield "--to-store", here.store_url, to.store
        for source in (here.blobs_url, here.results_url):
            yield "--to-blobs", source, to.blobs
            yield "--to-results", source, to.results
        if to.blobs != to.results:
            yield "--to-results", to.blobs, to.results

    @property
    def routes(self) -> list[Route]:
        """List the ways that bytes go."""
        here, to = self.settings, self.to
        shared = here.results_url == here.blobs_url
        apart = shared and to.results not in ("", to.blobs)
        found = []
        if to.blobs:
            results = False if apart else None
            found.append(Route(here.blobs_url, to.blobs, "--to-blobs", results))
        if to.results and (apart or not shared):
            results = True if shared else None
            found.append(Route(here.results_url, to.results, "--to-results", results))
        return found

    @property
    def staying(self) -> dict[str, str]:
        """Return the settings of what lies in a place of its own and is not told to move."""
        here, to = self.settings, self.to
        apart = here.results_url != here.blobs_url
        stays = {
            "MEDIAMILL_STORE_URL": here.store_url if not to.store else "",
            "MEDIAMILL_BLOBS_URL": here.blobs_url if not to.blobs else "",
            "MEDIAMILL_RESULTS_URL": here.results_url if apart and not to.results else "",
        }
        return {name: shown(url) for name, url in stays.items() if url}

    def afterwards(self) -> dict[str, str]:
        """Return the settings that a service on the targets needs, without passwords."""
        here, to = self.settings, self.to
        blobs, results = to.blobs or here.blobs_url, to.results or here.results_url
        if to.blobs and not to.results and here.results_url == here.blobs_url:
            results = blobs
        named = {
            "MEDIAMILL_STORE_URL": to.store,
            "MEDIAMILL_BLOBS_URL": to.blobs,
            "MEDIAMILL_RESULTS_URL": results if results != blobs else "",
        }
        return {name: shown(url) for name, url in named.items() if url}

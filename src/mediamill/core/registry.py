"""Plug-in folders: a module or package that ends with `plugin = Something` is one plug-in.

Its public name is its module name in kebab-case (`extract_frames` is `extract-frames`). Packages
of other people join through the entry-point group `mediamill.<folder>`, where the entry's name is
the public name. Nothing is imported before it is asked for by name, so an SDK is needed only by
those who use it.
"""

import importlib
import pkgutil
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from mediamill.core.errors import NotFound

T = TypeVar("T")


class Registry(Generic[T]):
    """The plug-ins of one folder, found by scanning, imported when asked for."""

    def __init__(self, package: str, noun: str, exclude: frozenset[str] = frozenset()) -> None:
        self._package, self._noun, self._exclude = package, noun, exclude

    @cached_property
    def _places(self) -> dict[str, str | EntryPoint]:
        folder = importlib.import_module(self._package)
        group = self._package.replace("mediamill.adapters.", "mediamill.")
        places: dict[str, str | EntryPoint] = {e.name: e for e in entry_points(group=group)}
        for module in pkgutil.iter_modules(folder.__path__):
            if module.name not in self._exclude and not module.name.startswith("_"):
                name = module.name.replace("_", "-")
                places[name] = f"{self._package}.{module.name}"
        return dict(sorted(places.items()))

    def names(self) -> tuple[str, ...]:
        """List the public names, without importing anything."""
        return tuple(self._places)

    def get(self, name: str) -> T:
        """Import and return a plug-in; raises `NotFound` with the names that exist."""
        try:
            place = self._places[name]
        except KeyError:
            known = ", ".join(self._places)
            message = f"There is no {self._noun} called “{name}”. Known: {known}."
            raise NotFound(message) from None
        found: Any = (
            place.load() if isinstance(place, EntryPoint) else importlib.import_module(place).plugin
        )
        return found  # type: ignore[no-any-return]  # whatever the folder's port says it is


@cache
def homes_of_guests(group: str) -> tuple[str, ...]:
    """Return where packages of other people that join a plug-in folder lie, with their libraries.

    These are what a process that may read little else must be able to read to import them.
    """
    homes: set[str] = set()
    for entry in entry_points(group=group):
        spec = find_spec(entry.module.partition(".")[0])
        if spec is not None:
            homes.update(spec.submodule_search_locations or filter(None, [spec.origin]))
        if entry.dist is not None:
            homes.add(str(entry.dist.locate_file("")))
    return tuple(sorted(homes))

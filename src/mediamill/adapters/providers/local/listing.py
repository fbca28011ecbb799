"""What models this machine has, as a person wants to see it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mediamill.adapters.providers.local.kept import differing, kept, manifest_of
from mediamill.core.errors import MediamillError
from mediamill.media.models.folder import ModelFolder


class Listed(msgspec.Struct, frozen=True):
    """A model in the folder. `revision` and `digest` are empty for one that was not fetched."""

    name: str
    kind: str
    """`captions` or `labels`; empty for one that cannot be run, and `problem` says why."""
    bytes: int
    variant: str = ""
    revision: str = ""
    digest: str = ""
    problem: str = ""
    changed: tuple[str, ...] = ()
    """Files that are no longer as they were fetched, where that was looked at."""

    @property
    def line(self) -> str:
        """Return it on one line of text."""
        origin = f"{self.revision[:12]}  {self.digest[:12]}" if self.revision else "put by hand"
        parts = [f"local:{self.name}", self.kind or "–", f"{self.bytes:,} bytes", origin]
        parts += [self.variant] if self.variant else []
        parts += [self.problem] if self.problem else []
        parts += [f"changed: {', '.join(self.changed)}"] if self.changed else []
        return "  ".join(parts)


def listed(models: Path, *, verify: bool) -> Iterator[Listed]:
    """List the models by name; with `verify` every fetched file is read."""
    for name, folder in kept(models):
        manifest = manifest_of(folder)
        variant = manifest.variant if manifest else ""
        kind = problem = ""
        try:
            kind = "captions" if ModelFolder(folder, variant).captions() else "labels"
        except MediamillError as error:
            problem = error.message
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        yield Listed(
            name, kind, size, variant,
            manifest.revision if manifest else "", manifest.digest if manifest else "", problem,
            tuple(differing(folder, manifest)) if manifest and verify else (),
        )  # fmt: skip

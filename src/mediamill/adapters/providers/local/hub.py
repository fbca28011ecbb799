"""Fetch a model from a hub that speaks as huggingface.co does: the files that are needed, pinned.

Only `mediamill models fetch` does this. A revision is resolved to its commit first and every file
taken from that; sizes and, where the hub tells them, SHA-256 are compared. It lies beside the other
models whole, or not at all. A token for models that are not public is what `huggingface_hub` finds:
`HF_TOKEN`, or that of `hf auth login`.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mediamill.adapters.providers.local.kept import (
    MANIFEST,
    KeptFile,
    Manifest,
    check_name,
    digest_of,
    manifest_of,
)
from mediamill.core.errors import (
    ConfigurationError,
    Conflict,
    FetchFailed,
    MediamillError,
    NotFound,
    SourceUnavailable,
)
from mediamill.media.models.folder import (
    CONFIGS,
    DECODER,
    ENCODER,
    MERGED,
    MODEL,
    PLACES,
    WITH_PAST,
    ModelFolder,
)
from mediamill.media.models.onnxfile import check_model
from mediamill.media.models.sessions import EXTRA

NO_MODEL = (
    "{id} has no {wanted} at this revision, only: {there}. Name another model, or export it "
    "yourself; docs/how-to/local-models.md tells how."
)


@dataclass(frozen=True)
class Remote:
    """A file at the hub: its size in bytes, its SHA-256 where that is told."""

    name: str
    size: int
    sha256: str = ""


Say = Callable[[str], None]


def fetch(
    models: Path,
    name: str,
    revision: str | None = None,
    variant: str = "",
    endpoint: str | None = None,
    digest: str | None = None,
    say: Say = lambda _: None,
) -> Manifest:
    """Bring a model into the folder of models; one that was fetched before is replaced.

    With `digest` it must be the model of that digest. Raises `NotFound`, `FetchFailed` for what is
    no model that can be run, `SourceUnavailable`, `Conflict` where a folder of that name was not
    fetched, `ConfigurationError`.
    """
    try:
        target = models / check_name(name)
    except ValueError as error:
        raise NotFound(f"{error}.") from None
    if target.exists() and manifest_of(target) is None:
        raise Conflict(f"{target} was not fetched: it is left as it is. Move it away first.")
    commit, remote = _listed(name, revision, endpoint)
    wanted = needed(name, remote, variant)
    models.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=models) as place:
        folder = Path(place) / "model"
        files = tuple(_brought(name, commit, endpoint, file, folder, say) for file in wanted)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's notes of the download
        manifest = Manifest(name, commit, variant, files)
        if digest is not None and digest.lower() != manifest.digest:
            raise FetchFailed(f"The digest of {name} is {manifest.digest}, not what was asked for.")
        _check(folder, variant)
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            target.rename(Path(place) / "before")
        folder.rename(target)
    return manifest


def needed(name: str, remote: Mapping[str, Remote], variant: str) -> list[Remote]:
    """Choose the files that a model is run with; raises `FetchFailed` where one is missing."""
    ending = f"_{variant}.onnx" if variant else ".onnx"

    def found(stem: str) -> str | None:
        places = (f"{place}{stem}{ending}" for place in PLACES)
        return next((path for path in places if path in remote), None)

    if encoder := found(ENCODER):
        merged = found(MERGED)
        chosen = [encoder, *([merged] if merged else [found(DECODER), found(WITH_PAST)])]
        complete = merged or found(DECODER)
    else:
        chosen = [found(MODEL)]
        complete = found(MODEL)
    paths = [path for path in chosen if path]
    if not complete:
        there = ", ".join(sorted(path for path in remote if path.endswith(".onnx"))) or "none"
        wanted = f"{MODEL}{ending} nor {ENCODER}{ending} with a decoder"
        raise FetchFailed(NO_MODEL.format(id=name, wanted=wanted, there=there))
    weights = [
        file for file in remote for path in paths if file.startswith((f"{path}_", f"{path}."))
    ]
    configs = [file for file in CONFIGS if file in remote]
    return [remote[file] for file in (*configs, *paths, *sorted(weights))]


def _listed(name: str, revision: str | None, endpoint: str | None) -> tuple[str, dict[str, Remote]]:
    """Return the commit of a revision and the files in it."""
    hub = _hub()
    with _Telling(name):
        info = hub.HfApi(endpoint=endpoint).model_info(name, revision=revision, files_metadata=True)
        files = {
            file.rfilename: Remote(
                file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else ""
            )
            for file in info.siblings or ()
        }
        return str(info.sha), files


def _brought(
    name: str, commit: str, endpoint: str | None, file: Remote, folder: Path, say: Say
) -> KeptFile:
    """Download a file and compare it with what the hub says of it."""
    say(f"{file.name}  {file.size:,} bytes")
    with _Telling(name):
        _hub().hf_hub_download(
            name, file.name, revision=commit, local_dir=folder, endpoint=endpoint
        )
    path = folder / file.name
    digest, size = digest_of(path), path.stat().st_size
    if size != file.size or (file.sha256 and digest != file.sha256):
        raise FetchFailed(f"{file.name} of {name} is not what the hub says that it is.")
    return KeptFile(file.name, size, digest)


def _check(folder: Path, variant: str) -> None:
    """Refuse what would not run, before it is put beside the others."""
    model = ModelFolder(folder, variant)
    try:
        model.captions()
        for path in model.models():
            check_model(path, model.path)
    except MediamillError as error:
        raise FetchFailed(error.message) from None


def _hub() -> Any:
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"Models are fetched with huggingface_hub, which is not installed. Install {EXTRA}, or "
            "run `make backends` in a clone."
        ) from None
    return huggingface_hub


class _Telling:
    """Turns what the library raises into errors of ours."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        from huggingface_hub import errors

        self._absent: tuple[type[Exception], ...] = (
            errors.RepositoryNotFoundError, errors.RevisionNotFoundError,
            errors.EntryNotFoundError, errors.HFValidationError,
        )  # fmt: skip
        # Its errors of HTTP are made of those of the client that it comes with.
        self._away: tuple[type[Exception], ...] = errors.HfHubHTTPError.__bases__

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        said = " ".join(str(error).split())[:300]
        if isinstance(error, self._absent) and not isinstance(error, FileNotFoundError):
            raise NotFound(
                f"The hub has no {self._name} at that revision, or does not show it to you: {said}"
            ) from None
        if isinstance(error, (OSError, *self._away)):
            raise SourceUnavailable(f"{self._name} cannot be fetched: {said}") from None

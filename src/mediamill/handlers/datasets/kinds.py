"""Which handler runs which kind of unit that works on whole projects."""

from collections.abc import Mapping

from mediamill.engine.tending import Handler
from mediamill.handlers.datasets import annotate, export, forget, task
from mediamill.handlers.datasets.annotate import Annotate
from mediamill.handlers.datasets.bring import ImportMembers
from mediamill.handlers.datasets.bringing import Taking
from mediamill.handlers.datasets.checked import Checks
from mediamill.handlers.datasets.copy import CopyMembers
from mediamill.handlers.datasets.forget import Forgetting, PurgeDataset, RedactVersion
from mediamill.handlers.datasets.freeze import Freeze
from mediamill.handlers.datasets.listing import Listing
from mediamill.handlers.datasets.moving import MoveMembers, Mover
from mediamill.handlers.datasets.owning import Owning
from mediamill.handlers.datasets.sample import SampleMembers
from mediamill.handlers.datasets.split import SplitMembers
from mediamill.handlers.datasets.turning import Turning
from mediamill.handlers.datasets.undo import UndoTask
from mediamill.handlers.files import thumbnails
from mediamill.handlers.files.thumbnail import Thumbnail
from mediamill.parts import Parts
from mediamill.store.repositories.datasets import Datasets


def handlers(parts: Parts, taking: Taking) -> Mapping[str, Handler]:
    """Make them all; `taking` takes files into projects."""
    nouns, datasets, forgetting = parts.nouns, Datasets(parts.store), forgetting_of(parts)
    return {
        task.KIND: task.TaskHandler(nouns.projects, datasets, _tasks(parts, taking)),
        export.KIND: export.ExportVersion(datasets, parts.blobs, parts.scratch, parts.cutting),
        forget.PURGE: PurgeDataset(forgetting),
        forget.REDACT: RedactVersion(forgetting),
        thumbnails.KIND: thumbnails.Thumbnails(
            datasets, Thumbnail(nouns.files, parts.blobs, parts.slots, parts.scratch)
        ),
    }


def _tasks(parts: Parts, taking: Taking) -> Mapping[str, task.Kind]:
    nouns, notes = parts.nouns, parts.nouns.annotations
    datasets = Datasets(parts.store)
    mover = Mover(nouns.projects, parts.blobs)
    return {
        annotate.KIND: Annotate(
            nouns.annotations, nouns.projects, nouns.lookup, parts.blobs, parts.results,
            parts.slots, parts.scratch, mover,
        ),
        "move": MoveMembers(mover),
        "undo": UndoTask(mover, notes),
        "split": SplitMembers(
            mover, nouns.lookup, notes.classes,
            Checks(nouns.jobs, nouns.results, nouns.manifests, parts.results),
        ),
        "version": Freeze(
            datasets,
            Listing(nouns.projects, nouns.lookup, nouns.jobs, nouns.results, nouns.manifests,
                    notes, parts.results),
            forgetting_of(parts), nouns.usages, parts.blobs, parts.scratch,
            Owning(parts.blobs, parts.results, parts.cutting),
            Turning(parts.blobs, parts.slots, parts.scratch),
        ),
        "import": ImportMembers(
            nouns.lookup, nouns.jobs, nouns.results, notes, taking, parts.blobs, parts.results,
            parts.scratch,
        ),
        "copy": CopyMembers(
            nouns.projects, datasets, nouns.lookup, notes, taking, parts.blobs, parts.results,
            parts.cutting,
        ),
        "sample": SampleMembers(notes, taking),
    }  # fmt: skip


def forgetting_of(parts: Parts) -> Forgetting:
    """Make what takes versions away."""
    return Forgetting(parts.store, parts.nouns.usages, (parts.blobs, parts.results))

"""What the history check looks at: each function lists the promises that do not hold.

The stores are read whole and directly, not through what the service itself would look up, so that
a row in the wrong place shows.
"""

import hashlib
import json
import tempfile
import zipfile
from collections import Counter

import httpx

from mediamill.app import App
from mediamill.core.clock import SystemClock
from mediamill.handlers.removing.collect import Collect
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.files import File
from mediamill.store.repositories.idempotency import KeyedRequest, blobs_of
from mediamill.store.repositories.jobs import Job, ManifestPage, Tally
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.retention import Origin
from mediamill.store.repositories.units import Unit, UnitState
from mediamill.store.repositories.uploads import UploadPart
from mediamill.store.repositories.versions import Version
from mediamill.store.schema import all_kinds
from tests.faults import datasets
from tests.faults.tables import table

MADE_OF = (Result, ManifestPage, Origin)
"""Rows that name the inputs of jobs."""


# -- uploads ---------------------------------------------------------------------------------------


async def upload(clients: list[httpx.AsyncClient], file_id: str, sha256: str) -> list[str]:
    """Read an upload back."""
    for client in clients:
        async with client.stream("GET", f"/v1/files/{file_id}/content") as answer:
            if answer.status_code == 404 and client is not clients[-1]:
                continue
            if answer.status_code != 200:
                return [f"{file_id} was acknowledged, reads back as {answer.status_code}"]
            digest = hashlib.sha256()
            async for chunk in answer.aiter_bytes():
                digest.update(chunk)
            same = digest.hexdigest() == sha256
            return [] if same else [f"{file_id} reads back with other bytes"]
    return [f"{file_id}: nobody could ask for it"]


# -- jobs ------------------------------------------------------------------------------------------


async def job(clients: list[httpx.AsyncClient], app: App, job_id: str) -> list[str]:
    """Check one accepted job: ended once, counted right, each item settled once, its zip whole."""
    row = await app.repositories.jobs.get(job_id)
    if row is None:
        return [f"{job_id} was accepted and is gone"]
    if not row.state.terminal:
        return [f"{job_id} has not ended: {row.state}"]
    broken = await _units(app, row) + await _announced(app, row)
    for stage, tally in enumerate(row.noted()):
        broken += await _stage(app, row, stage, tally)
    return broken + await _download(clients, app, row)


async def _announced(app: App, row: Job) -> list[str]:
    """Each generation ends once, with one announcement."""
    told = [u.seq async for u in app.repositories.units.walk_group(f"{row.id}:notify")]
    if told != list(range(1, row.generation + 1)):
        return [f"{row.id}: generation {row.generation} is announced as {told}"]
    return []


async def _units(app: App, row: Job) -> list[str]:
    """All units are there, closed and summed; a done one has settled all its items."""
    broken, units = [], app.repositories.units
    found = [unit async for unit in units.walk_group(row.id)]
    if [unit.seq for unit in found] != list(range(row.units)):
        broken.append(f"{row.id}: units {[u.seq for u in found][:20]} …, not 0 to {row.units - 1}")
    if row.watermark != row.units:
        broken.append(f"{row.id}: {row.watermark} of {row.units} units are summed")
    for unit in found:
        settled = len(unit.items) - len(unit.pending())
        counted = unit.succeeded + unit.failed + unit.reused
        if unit.state.open:
            broken.append(f"{unit.name} is {unit.state} though its job has ended")
        if unit.state is UnitState.DONE and unit.pending():
            broken.append(f"{unit.name} is done without items {unit.pending()}")
        if settled != counted:
            broken.append(f"{unit.name} has settled {settled} items, counted {counted}")
    return broken


async def _stage(app: App, row: Job, stage: int, tally: Tally) -> list[str]:
    """One result an item, written by the unit that says so; counters equal rows."""
    label, broken = f"{row.id} stage {stage}", []
    results = [r async for r in app.repositories.results.walk_stage(row.id, stage)]
    for outcome in ItemOutcome:
        counted = getattr(tally.counts, outcome.value)
        there = sum(result.outcome is outcome for result in results)
        if counted != there:
            broken.append(f"{label}: {counted} {outcome} counted, {there} rows")
    if tally.counts.settled != tally.items:
        broken.append(f"{label}: {tally.counts.settled} of {tally.items} items have an outcome")
    if len({result.item for result in results}) != len(results):
        broken.append(f"{label}: an item has two results")
    return (
        broken + await _written(app, row, stage, results) + await _inputs(app, row, stage, results)
    )


async def _written(app: App, row: Job, stage: int, results: list[Result]) -> list[str]:
    """Each result was flushed by one unit of its generation, under a fence that unit has had."""
    flushed: dict[tuple[int, int], list[Unit]] = {}
    async for unit in app.repositories.units.walk_group(row.id):
        if unit.kind == "items" and unit.payload["stage"] == stage:
            for item in set(unit.items) - set(unit.pending()):
                flushed.setdefault((unit.payload["generation"], item), []).append(unit)
    broken = []
    for result in results:
        by = flushed.get((result.generation, result.item), [])
        name = f"{row.id} stage {stage} item {result.item}"
        if len(by) != 1:
            broken.append(f"{name} was settled by {[unit.name for unit in by]}")
            continue
        for file in result.files:
            seq, fence, *_ = file.blob.rpartition("/")[2].split("-")
            if int(seq) != by[0].seq or int(fence) > by[0].fence:
                broken.append(f"{name} names {file.blob}, which {by[0].name} never wrote")
    latest: dict[int, int] = {}
    for generation, item in flushed:
        latest[item] = max(generation, latest.get(item, 0))
    there = {result.item: result.generation for result in results}
    lost = [item for item, generation in latest.items() if there.get(item) != generation]
    return broken + [f"{row.id} stage {stage} item {i} is settled and has no result" for i in lost]


async def _inputs(app: App, row: Job, stage: int, results: list[Result]) -> list[str]:
    """Each result is of the input that the stage's list has in its place."""
    items = row.noted()[stage].items
    walk = app.repositories.manifests.walk(row.id, stage, items)
    entries = {place: entry async for place, entry in walk}
    if len(entries) != items:
        return [f"{row.id} stage {stage}: {len(entries)} inputs listed, {items} counted"]
    return [
        f"{row.id} stage {stage} item {result.item} is of {result.input} {result.path}"
        for result in results
        if (entry := entries.get(result.item)) is None
        or (entry.file, entry.path) != (result.input, result.path)
    ]


# -- downloads -------------------------------------------------------------------------------------


async def _download(clients: list[httpx.AsyncClient], app: App, row: Job) -> list[str]:
    if row.layout is None:
        return [] if row.error else [f"{row.id} has neither a download nor a reason"]
    with tempfile.TemporaryFile() as whole:
        for client in clients:
            async with client.stream("GET", f"/v1/jobs/{row.id}/download") as answer:
                if answer.status_code == 404 and client is not clients[-1]:
                    continue
                if answer.status_code != 200:
                    return [f"{row.id}: download answers {answer.status_code}"]
                async for chunk in answer.aiter_bytes():
                    whole.write(chunk)
                break
        if whole.tell() != row.download_size:
            return [f"{row.id}: download has {whole.tell()} bytes, not {row.download_size}"]
        try:
            with zipfile.ZipFile(whole) as archive:
                results = app.repositories.results.walk_stage(row.id, row.stage)
                return _zip(archive, row, [result async for result in results])
        except zipfile.BadZipFile as error:
            return [f"{row.id}: {error}"]


def _zip(archive: zipfile.ZipFile, row: Job, results: list[Result]) -> list[str]:
    """A zip's entries equal the results."""
    if (corrupt := archive.testzip()) is not None:
        return [f"{row.id}: {corrupt} in its zip is corrupt"]
    names = archive.namelist()
    lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
    if [line["item"] for line in lines] != [result.item for result in results]:
        return [f"{row.id}: its manifest lists other items than there are results"]
    broken, left = [], Counter(names)
    left["manifest.jsonl"] -= 1
    for line, result in zip(lines, results, strict=True):
        for told, file in zip(line["files"], result.files, strict=True):
            if told["sha256"] != file.sha256:
                broken.append(f"{row.id}: item {result.item} has another digest in the manifest")
            if "frames" in file.info:
                inside = [name for name in names if name.startswith(f"{told['path']}/")]
                if len(inside) != int(file.info["frames"]) + 1:
                    broken.append(f"{row.id}: {told['path']} has {len(inside)} entries")
                left.subtract(inside)
            else:
                left[told["path"]] -= 1
                data = archive.read(told["path"]) if told["path"] in names else b""
                if hashlib.sha256(data).hexdigest() != file.sha256:
                    broken.append(f"{row.id}: {told['path']} has other bytes than the result")
    odd = [name for name, count in left.items() if count]
    return broken + ([f"{row.id}: zip and results differ in {odd[:10]}"] if odd else [])


# -- what is stored --------------------------------------------------------------------------------


async def blobs(app: App) -> list[str]:
    """After a collection without grace, what is stored is exactly what rows name."""
    for stored in {id(b): b for b in (app.blobs, app.results)}.values():
        collect = Collect(app.store, (stored,), SystemClock(), grace_ms=-1)
        await collect.collect(stored)
    named, optional = _named(app)
    there = {
        blob.key
        for stored in {id(b): b for b in (app.blobs, app.results)}.values()
        async for blob in stored.list("")
    }
    jobs = {row.id: row for row in table(app, Job)}
    attempts = tuple(blobs_of(row) for row in table(app, KeyedRequest))  # they go with their row
    attempts += datasets.roots(app)
    left = {key for key in there - named if not key.startswith(attempts)}
    orphans = {key for key in left if not _allowed(key, optional, jobs)}
    return [
        *(f"orphan {key}" for key in sorted(orphans)),
        *(f"{key} is named by a row and is gone" for key in sorted(named - there)),
    ]


def _named(app: App) -> tuple[set[str], set[str]]:
    """List the blobs that rows name, and those that work in progress may name yet."""
    named, optional = set[str](), set[str]()
    for file in table(app, File):
        if file.state not in ("ready", "trashed") or (file.state == "trashed" and not file.trash):
            optional |= {file.blob, file.thumbnail or ""}
        else:
            named |= {file.blob, file.thumbnail or ""}
        if file.thumbnail is None:
            optional.add(f"thumbnails/{file.id}")  # it may be in the making
    named |= {row.blob for row in table(app, Version)}
    named |= {row.blob for row in table(app, UploadPart)}
    named |= {row.blob or "" for row in table(app, KeyedRequest)}
    named |= {row.blob or "" for row in table(app, ManifestPage)}
    named |= {b for result in table(app, Result) for file in result.files for b in file.blobs}
    named |= datasets.named(app)
    for row in table(app, Job):
        if row.layout:
            named |= {row.layout, f"{row.layout.removesuffix('-layout')}-manifest"}
    return named - {""}, optional - {""}


def _allowed(key: str, optional: set[str], jobs: dict[str, Job]) -> bool:
    """Tell whether a blob that no row names may still be there."""
    prefix, noun, *_ = key.split("/")
    if key in optional:
        return True
    if prefix == "manifests":  # older writings of a page go with their job
        return noun in jobs
    return prefix in ("results", "layouts") and noun in jobs and not jobs[noun].state.terminal


async def gone(app: App, deleted: set[str]) -> list[str]:
    """Nothing of what was deleted for good is left, but the units that remove it.

    What was made of a deleted file stays, and says what it was made of; the audit trail says who
    deleted it.
    """
    broken = []
    for kind in all_kinds() if deleted else ():
        files_only = {one for one in deleted if one.startswith("file_")}
        wanted = deleted if kind not in MADE_OF else deleted - files_only
        for row in table(app, kind):
            if isinstance(row, Act) or (isinstance(row, Unit) and row.kind.startswith("purge_")):
                continue
            text = repr(row)
            broken += [f"{kind.table} has {row.key_values()}" for one in wanted if one in text]
    for stored in (app.blobs, app.results) if deleted else ():
        async for blob in stored.list(""):
            broken += [f"blob {blob.key}" for one in deleted if one in blob.key]
    return broken


async def lanes(app: App) -> list[str]:
    """Whoever has an open unit has a lane that will be served."""
    served = {(lane.klass, lane.owner) for lane in table(app, Lane) if lane.active or lane.parked}
    return [
        f"{unit.name} waits in a lane that nobody serves"
        for unit in table(app, Unit)
        if unit.state.open and (unit.klass, unit.owner) not in served
    ]

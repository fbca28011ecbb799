"""What a backup has of things that change while it is made: bytes that live rows stop naming."""

import pytest

from mediamill.app import App
from mediamill.backup.manifest import Snapshot
from mediamill.backup.reading import entries_of
from mediamill.backup.taking import Taking
from mediamill.backup.vault import Vault
from mediamill.store.port import Delete, Put
from mediamill.store.repositories.annotation_rows import FileAnnotations
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.uploads import Upload, UploadPart, UploadState

pytestmark = pytest.mark.embedded("it is about a home")


async def taken(app: App, vault: Vault, monkeypatch, at: int, act) -> Snapshot:
    """Back up; before the first listing of bytes (0), or the second, something happens."""
    listed, passed = type(app.blobs).list, [0]

    async def acting(blobs, prefix, after=""):
        if blobs is app.blobs and prefix == "":
            if passed[0] == at:
                await act()
            passed[0] += 1
        async for info in listed(blobs, prefix, after):
            yield info

    with monkeypatch.context() as patch:
        patch.setattr(type(app.blobs), "list", acting)
        snapshot = await Taking(app.settings, app.store, app.parts.blob_stores()).take(vault, "b")
    assert passed[0] == 2, "once before the rows, once after them"
    return snapshot


async def keys_of(vault: Vault, snapshot: Snapshot) -> set[str]:
    return {one.key async for some in entries_of(vault, snapshot) for one in some}


async def test_what_is_replaced_after_the_rows_is_in_it(found, tmp_path, monkeypatch):
    """An annotation that is undone, a part of an upload that ends: their rows were copied."""
    settings = found.settings()
    async with await App.open(settings) as app, Vault.open(str(tmp_path / "b")) as vault:
        (drawn,) = [one for one in await app.store.walk(FileAnnotations) if one.blob]
        part = next(iter(await app.store.walk(UploadPart)))

        async def replacing() -> None:
            await app.blobs.put("files/later", b"it came behind the rows")
            await app.store.transact(Put(drawn.evolve(blob="")))
            for key in (drawn.blob, part.blob):
                await app.blobs.delete(key)

        snapshot = await taken(app, vault, monkeypatch, 1, replacing)
        assert snapshot.counts == {"missing": 0, "damaged": 0, "cold": 0}
        assert {drawn.blob, part.blob, "files/later"} <= await keys_of(vault, snapshot)
        assert snapshot.started <= snapshot.begun


async def test_what_came_and_was_replaced_meanwhile_is_told(found, tmp_path, monkeypatch):
    settings = found.settings()
    async with await App.open(settings) as app, Vault.open(str(tmp_path / "b")) as vault:
        (drawn,) = [one for one in await app.store.walk(FileAnnotations) if one.blob]
        data = await app.blobs.get(drawn.blob)
        await app.blobs.delete(drawn.blob)

        async def replacing() -> None:
            await app.store.transact(Put(drawn.evolve(blob="")))

        snapshot = await taken(app, vault, monkeypatch, 1, replacing)
        assert snapshot.missing == [drawn.blob]
        await app.blobs.put(drawn.blob, data)


@pytest.mark.parametrize(
    ("state", "direct", "file"),
    [
        (UploadState.READY, False, "new"),
        (UploadState.READY, True, "new"),
        (UploadState.READY, True, "old"),
        (UploadState.READY, False, "gone"),
        (UploadState.ENDED, False, ""),
    ],
)
async def test_an_upload_that_ended_meanwhile(found, tmp_path, monkeypatch, state, direct, file):
    """One that became a file since is told, but is no loss: the next backup has the file.

    Nor is it told where the rows of the backup have the file already, or it was deleted since.
    """
    settings = found.settings()
    async with await App.open(settings) as app, Vault.open(str(tmp_path / "b")) as vault:
        part = next(iter(await app.store.walk(UploadPart)))
        upload = await app.store.get(Upload, part.upload)
        if direct:
            upload = upload.evolve(id="upload_direct", part_size=9, state=UploadState.CHECKING)
            await app.store.transact(Put(upload))
        else:
            await app.blobs.delete(part.blob)

        old = next(one for one in await app.store.walk(File) if one.state is FileState.READY)

        async def ending() -> None:
            if file == "new":
                await app.store.transact(Put(old.evolve(id="new", blob="files/new")))
            became = old.id if file == "old" else file
            await app.store.transact(Put(upload.evolve(state=state, file=became)))
            if not direct:
                await app.store.transact(Delete(UploadPart, part.key_values()))

        snapshot = await taken(app, vault, monkeypatch, 1, ending)
        lost = "incoming/upload_direct" if direct else part.blob
        assert snapshot.passing == ([lost] if file == "new" else [])
        assert (snapshot.missing, any(snapshot.counts.values())) == ([], False)

"""Result files of one item are found by one reading of its row."""

from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile


def result(item: int, files: int) -> Result:
    made = tuple(
        ResultFile(name=f"{item}-{n}.jpg", media_type="image/jpeg", size=1, sha256="", crc32=0,
                   blob=f"{item}/{n}")
        for n in range(files)
    )  # fmt: skip
    return Result(
        job="job_x", stage=0, item=item, generation=1, outcome=ItemOutcome.SUCCEEDED,
        input="file_a", root="file_a", name="a", files=made, created=0,
    )  # fmt: skip


async def test_the_row_of_several_files_is_read_once(monkeypatch):
    store, asked = MemoryStore(), []
    rows = [result(0, 3), result(1, 1)]
    job = Job(id="job_x", owner="user_a", steps=(), klass="bulk", created=0)
    await store.transact(Put(job), *map(Put, rows))
    real = store.get_many

    async def get_many(kind, keys):
        asked.extend(keys if kind is Result else ())
        return await real(kind, keys)

    monkeypatch.setattr(store, "get_many", get_many)
    lookup, ids = FileLookup(store), [row.file_id(n) for row in rows for n in range(3)]
    found = await lookup.get_many(ids)
    assert [file and file.name for file in found] == [
        "0-0.jpg", "0-1.jpg", "0-2.jpg", "1-0.jpg", None, None,
    ]  # fmt: skip
    assert asked == [("job_x", 0, 0), ("job_x", 0, 1)]
    assert await lookup.roots(ids[:4]) == dict.fromkeys(ids[:4], "file_a")
    assert len(asked) == 4

"""What needs no reading: an object that is as it was, that its row says, and that the place has."""

from contextlib import closing

import pytest

from mediamill.backup.index import Index
from mediamill.backup.manifest import Entry
from mediamill.store.repositories.files import File, FileState

KEY, SIZE, TIME = "files/a", 10, 1_000
OLD, NEW = "0" * 64, "1" * 64


def file(id_: str, sha256: str) -> File:
    return File(
        id=id_, owner="u", listed="u", name="a", media_type="a/b", size=SIZE, sha256=sha256,
        crc32=0, blob=KEY, thumbnail="", created=1,
        state=FileState.READY if sha256 else FileState.TRASHED,
    )  # fmt: skip


@pytest.fixture
def index():
    with closing(Index()) as index:
        index.before([Entry(KEY, SIZE, TIME, OLD)])
        index.there([(OLD, SIZE)])
        yield index


def test_what_is_as_it_was_is_known(index):
    assert index.known(KEY, SIZE, TIME) == OLD
    assert index.known("files/b", SIZE, TIME) is None
    assert index.known(KEY, SIZE + 1, TIME) is None, "its size is another"
    assert index.known(KEY, SIZE, TIME + 1) is None, "it was written anew"


def test_what_the_place_lost_is_not_known(index):
    index.there([(OLD, SIZE - 1)])
    assert index.known(KEY, SIZE, TIME) is None
    index.before([Entry("files/b", SIZE, TIME, NEW)])
    assert index.known("files/b", SIZE, TIME) is None


def test_what_its_row_contradicts_is_not_known(index):
    index.name([file("file_1", OLD)])
    assert index.known(KEY, SIZE, TIME) == OLD
    index.name([file("file_1", "")])
    assert index.recorded(KEY) == OLD, "of two rows that name it the one that tells more"
    with closing(Index()) as other:
        other.before([Entry(KEY, SIZE, TIME, OLD)])
        other.there([(OLD, SIZE)])
        other.name([file("file_1", "")])
        other.name([file("file_2", NEW)])
        assert other.recorded(KEY) == NEW
        assert other.known(KEY, SIZE, TIME) is None


def test_what_was_copied_before_the_rows_is_looked_at_by_them(index):
    index.has([Entry(KEY, SIZE, TIME, OLD)])
    assert index.has_already(KEY, SIZE, TIME)
    assert not index.has_already(KEY, SIZE, TIME + 1)
    assert not index.has_already(KEY, SIZE + 1, TIME)
    assert not index.has_already("files/b", SIZE, TIME)
    index.name([file("file_1", NEW)])
    assert not index.has_already(KEY, SIZE, TIME)
    assert index.differing() == [KEY]

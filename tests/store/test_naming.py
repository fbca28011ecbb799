"""What records name, and whether somebody misses what one named before."""

import pytest

from mediamill.store.naming import became, misses, named, telling
from mediamill.store.repositories.annotation_rows import FileAnnotations
from mediamill.store.repositories.files import File
from mediamill.store.repositories.uploads import Upload, UploadPart, UploadState


def upload(state: UploadState, part_size: int = 0) -> Upload:
    return Upload(
        id="upload_a", owner="u", name="a", state=state, part_size=part_size, created=1, expires=2
    )


def test_a_direct_upload_names_its_bytes_while_they_are_checked():
    for state in UploadState:
        names = [("incoming/upload_a", "")] if state is UploadState.CHECKING else []
        assert list(named(upload(state, 9))) == names
        assert list(named(upload(state))) == []


@pytest.mark.parametrize("state", UploadState)
def test_of_a_part_its_upload_tells(state):
    """A sender who was told that it is there misses it, until the upload is a file or nothing."""
    assert telling(UploadPart, ("upload_a", 3)) == (Upload, ("upload_a",))
    wanted = state in (UploadState.RECEIVING, UploadState.CHECKING)
    assert misses(upload(state), "uploads/upload_a/0") is wanted
    file = "file_a" if state is UploadState.READY else ""
    assert became(upload(state).evolve(file="file_a")) == file


def test_what_was_replaced_is_missed():
    drawn = FileAnnotations(project="p", file="f", blob="annotations/now", revision=2, changed=1)
    assert telling(FileAnnotations, ("p", "f")) == (FileAnnotations, ("p", "f"))
    assert misses(drawn, "annotations/before")


def test_what_a_row_names_no_more_of_itself_is_not():
    file = File(
        id="f", owner="u", listed="u", name="a", media_type="a/b", size=1, sha256="0", crc32=0,
        blob="files/f", thumbnail="", created=1,
    )  # fmt: skip
    assert misses(file, "files/f") is bool(list(named(file)))
    assert not misses(file, "files/other")

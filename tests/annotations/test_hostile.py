"""Sets that mean harm end with what is wrong of them (S8); the soak has long ones too."""

import io
import tracemalloc

import pytest
from tests.annotations.hostile import long_sets, sets

from mediamill.annotations import formats
from mediamill.annotations.checks import checked
from mediamill.annotations.index import FileFacts, Index
from mediamill.annotations.tree import Folder
from mediamill.core.errors import InvalidInput
from mediamill.media.annotated import ZIP, Zip

FILES = [FileFacts("a", "a.png", 64, 48)]
HARMLESS = {"up.zip"}
"""A label whose path leads out of the archive is one of its file name."""
MOST_MB = 120


def wrong_of(folder, name: str, data: bytes) -> str:
    """Return what is said to be wrong with a set; empty where nothing is."""
    (folder / name).write_bytes(data)
    index = Index()
    index.add_files(FILES)
    try:
        tree = Zip(io.BytesIO(data)) if data.startswith(ZIP) else Folder(folder / name)
        formats.read(tree, index, None, lambda part: None)
        assert all(one.content.width == 64 for one in checked(index))
    except InvalidInput as refused:
        return refused.message
    finally:
        index.close()
    return " ".join(one.message for one in index.findings if one.level == "error")


@pytest.mark.parametrize("more", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_hostile_sets_are_told_what_is_wrong_in_little_memory(tmp_path, more) -> None:
    for name, data in long_sets() if more else sets():
        if more and name[0].isdigit():  # a mutant, which may be sound
            wrong_of(tmp_path, name, data)
            continue
        if name in ("notes.json", "aliases.zip", "merges.zip", "rle.json"):
            tracemalloc.start()
        wrong = wrong_of(tmp_path, name, data)
        if tracemalloc.is_tracing():
            assert tracemalloc.get_traced_memory()[1] < MOST_MB << 20, name
            tracemalloc.stop()
        assert bool(wrong) == (name not in HARMLESS), name

"""Names and groups in the document of a version."""

import pytest

from mediamill.datasets.document import Groups, Paths
from mediamill.media.archive.names import Names


@pytest.mark.parametrize(
    ("name", "media_type", "path"),
    [
        ("cat.json", "image/png", "cat.png"),  # else a sample of WebDataset has it twice
        ("dog.cls", "image/jpeg", "dog.jpg"),
        ("a.b.JPEG", "image/jpeg", "a_b.jpeg"),
        ("scan.tif", "image/tiff", "scan.tif"),
        ("plain", "image/webp", "plain.webp"),
        ("film.MOV", "video/quicktime", "film.mov"),
        ("film.txt", "video/quicktime", "film.mov"),
    ],
)
def test_endings_are_those_of_pictures(name: str, media_type: str, path: str) -> None:
    assert Paths(Names()).claim(name, media_type) == path


def test_groups_are_counted_as_they_come() -> None:
    groups = Groups()
    assert [groups.number(name) for name in ("b", "", "a", "b", "")] == [1, 0, 2, 1, 0]

"""Classes of a project as sets bring them, and files as sets name them."""

import pytest

from mediamill.annotations.book import Book
from mediamill.annotations.index import FileFacts, Index
from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.annotations.tree import split_of

PERSON = Category(
    1, "person", "animal", keypoints=("left_eye", "right_eye"), skeleton=((1, 2),), pairs=((0, 1),)
)


def test_a_known_class_is_told_its_key_points() -> None:
    """Else what is mirrored keeps left and right where they were."""
    book = Book().with_added([Category(7, "person", colour="#112233"), Category(8, "gone")])
    book = book.without(8).with_added([PERSON, Category(1, "gone")])
    person = book.need(7)
    assert (person.colour, person.supercategory) == ("#112233", "animal")
    assert (person.keypoints, person.skeleton) == (PERSON.keypoints, PERSON.skeleton)
    points = Annotation(1, "person", (1, 1, 5, 5), keypoints=(2, 2, 2, 4, 4, 2))
    seen = ImageAnnotations(10, 10, (points,))
    assert book.resolved(book.numbered(seen)).pairs == {"person": ((0, 1),)}
    assert len(book.categories) == 2, "a class that was removed comes as a new one"
    assert book.with_added([PERSON]) == book


def test_pairs_of_other_key_points_are_not_taken() -> None:
    book = Book().with_added([Category(1, "person", keypoints=("nose", "chin"))])
    person = book.with_added([PERSON]).need(1)
    assert (person.keypoints, person.skeleton, person.pairs) == (("nose", "chin"), (), ())


def test_bones_and_pairs_go_with_their_key_points() -> None:
    book = Book().with_added([PERSON])
    fewer = Category(1, "person", keypoints=("nose",), skeleton=((1, 2),), pairs=((0, 1),))
    person = book.changed(fewer).need(1)
    assert (person.skeleton, person.pairs) == ((), ())


@pytest.mark.parametrize(
    ("path", "by_stem", "found"),
    [
        ("train/c1/img.png", False, ["a"]),
        ("./c2/img.png", False, ["b"]),
        ("images\\val\\c2\\img.png", False, ["b"]),
        ("set/train/c1/img.png", False, ["a"]),
        ("labels/train/c1/img.txt", True, ["a"]),
        ("c3/img.png", False, ["a", "b"]),
        ("elsewhere/one.jpg", False, ["c"]),
        ("labels/one.txt", True, ["c"]),
        ("two.png", False, ["d"]),
        ("none.png", False, []),
    ],
)
def test_files_are_found_by_the_end_of_their_path(path: str, by_stem: bool, found: list) -> None:
    index = Index()
    paths = ("train/c1/img.png", "set/images/val/c2/img.png", "one.jpg", "two.png", "x/two.png")
    count = index.add_files(
        FileFacts(key, at, 8, 8) for key, at in zip("abcde", paths, strict=True)
    )
    assert count == len(paths)
    assert [file.id for file in index.candidates(path, by_stem=by_stem)] == found


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("test/train/a.jpg", "train"),
        ("set/Val2017/cats/a.jpg", "validation"),
        ("cats/train_station.jpg", ""),
    ],
)
def test_the_nearest_folder_says_the_split(path: str, split: str) -> None:
    assert split_of(path, named=False) == split

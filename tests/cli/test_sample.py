"""`mediamill sample` writes the files that the tutorials use."""

import json

from click.testing import CliRunner
from PIL import Image

from mediamill.cli.root import root
from mediamill.cli.sample import LETTERS


def test_the_files_are_there_and_fit_together(tmp_path):
    done = CliRunner().invoke(root, ["sample", str(tmp_path / "a")])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "a"
    assert (folder / "clip.mp4").stat().st_size > 10_000
    assert {path.name for path in (folder / "letters").iterdir()} == LETTERS.keys()
    known = json.loads((folder / "shapes/instances.json").read_text())
    sizes = {one["file_name"]: (one["width"], one["height"]) for one in known["images"]}
    pictures = sorted((folder / "shapes/images").iterdir())
    assert [path.name for path in pictures] == sorted(sizes)
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == sizes[path.name]
    ids = [one["id"] for one in known["annotations"]]
    assert len(ids) == len({*ids}) == 53


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = CliRunner().invoke(root, ["sample", str(tmp_path)], standalone_mode=False)
    assert done.exception is not None
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

"""`mediamill sample`: files to try things with, for those who have none at hand."""

from pathlib import Path
from typing import Any

import click
import msgspec

from mediamill.cli.terminal.failures import Failure

SECONDS = 5
"""How long the clip lasts."""
SHOTS = 3
LETTERS = {
    "anna.txt": "Dear shop,\n\nthe lamp came on 3 March and its switch is broken. "
    "Please send another one.\n\nAnna Berg\n",
    "boris.txt": "Hello,\n\nI ordered two chairs on 12 February, number 4711, and only one came. "
    "Where is the other?\n\nBoris Lang\n",
    "carla.txt": "Good morning,\n\nthank you for the quick delivery on 8 March. "
    "The table is just right.\n\nCarla Ruiz\n",
}
"""Letters to a shop, each with a date in it."""


@click.command()
@click.argument("folder", default="sample", type=click.Path(file_okay=False, path_type=Path))
def sample(folder: Path) -> None:
    """Write files to try things with into FOLDER, which must be new or empty.

    A clip of three shots (`clip.mp4`), 24 pictures of shapes (`shapes/images`) with what is in them
    as COCO (`shapes/instances.json`), and three letters (`letters`). They are made here, always the
    same ones; the tutorials use them.
    """
    from mediamill.media.video.pattern import write_pattern

    if folder.exists() and any(folder.iterdir()):
        raise Failure(f"{folder} is not empty. Name a new folder.")
    for name in ("shapes/images", "letters"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_pattern(folder / "clip.mp4", SECONDS, SHOTS)
    _shapes(folder / "shapes")
    for name, text in LETTERS.items():
        (folder / "letters" / name).write_text(text)
    for path in sorted(folder.iterdir()):
        click.echo(path)


def _shapes(folder: Path) -> None:
    """Write the pictures of the sample project, and one COCO document of what is in them."""
    from mediamill.annotations.coco import annotation_record, category_record, image_record
    from mediamill.handlers.datasets.sample import CATEGORIES, COUNT, picture

    numbers = {category.name: category.number for category in CATEGORIES}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for place in range(COUNT):
        data, content = picture(place)
        name, image = f"shapes_{place:02}.jpg", place + 1
        (folder / "images" / name).write_bytes(data)
        images.append(image_record(image, name, content.width, content.height))
        for one in content.annotations:
            counted = msgspec.structs.replace(one, id=len(annotations) + 1)
            annotations.append(annotation_record(counted, image, numbers[one.category]))
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [category_record(category) for category in CATEGORIES],
    }
    (folder / "instances.json").write_bytes(msgspec.json.encode(document))

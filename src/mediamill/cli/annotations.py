"""`mediamill annotations check | convert`: sets of annotations, without a server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import msgspec

if TYPE_CHECKING:
    from mediamill.annotations.index import FileFacts
    from mediamill.annotations.write import Format

FORMATS = click.Choice(["coco", "yolo", "voc"])
set_argument = click.argument("source", metavar="SET", type=click.Path(exists=True, path_type=Path))
images_option = click.option(
    "--images", type=click.Path(exists=True, path_type=Path),
    help="Folder or zip of the pictures; default: those that are in SET.",
)  # fmt: skip
source_option = click.option("--from", "form", type=FORMATS, help="Format of SET; default: told.")


@click.group()
def annotations() -> None:
    """Check and convert COCO, YOLO and VOC, without a server."""


@annotations.command()
@set_argument
@images_option
@source_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line per finding.")
@click.pass_context
def check(
    ctx: click.Context, source: Path, *, images: Path | None, form: str | None, as_json: bool
) -> None:
    """List what is wrong with SET: a file, a folder or a zip.

    The exit code is 1 when there are errors. Without pictures, what SET says of them is believed.
    """
    from mediamill.cli.local import marking
    from mediamill.cli.terminal.failures import DONE, SOME_FAILED

    facts = _facts(source, images)
    with marking.read_local(source, facts, cast("Format | None", form)) as one:
        count = objects = 0
        for picture in one.found:
            count, objects = count + 1, objects + len(picture.content.annotations)
        errors, warnings = one.index.errors, sum(one.index.counts.values()) - one.index.errors
        if as_json:
            for finding in one.index.findings:
                click.echo(msgspec.json.encode(finding).decode())
        else:
            marking.say_findings(one.index)
    click.echo(
        f"{one.form}: {count:,} images, {objects:,} annotations, "
        f"{len(one.book.categories):,} classes; {errors:,} errors, {warnings:,} warnings.",
        err=True,
    )
    ctx.exit(SOME_FAILED if errors else DONE)


@annotations.command()
@set_argument
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--format", "to", type=FORMATS, required=True, help="What to write.")
@images_option
@source_option
@click.option("--skip-invalid", is_flag=True, help="Leave out what is wrong, instead of ending.")
@click.option("--overwrite", is_flag=True, help="Replace what exists.")
def convert(
    source: Path, output: Path, *, to: str, images: Path | None, form: str | None,
    skip_invalid: bool, overwrite: bool,
) -> None:  # fmt: skip
    """Write SET in another format: into the folder OUT, or OUT.zip, or OUT.json for COCO.

    Pictures are not copied. Labels of YOLO and VOC lie so that trainers find them once the pictures
    are in images/train and the like, or in JPEGImages. YOLO is in parts of a picture’s size, so to
    read it the pictures are needed. What a format cannot hold is counted.
    """
    from mediamill.annotations.layout import laid_out
    from mediamill.annotations.write import Losses, Pictured, written
    from mediamill.cli.local import layout, marking
    from mediamill.cli.local.targets import target_of

    losses = Losses()
    facts = _facts(source, images)
    with marking.read_local(source, facts, cast("Format | None", form)) as one:
        kept = list(one.found)
        marking.refuse_errors(source, one.index, skip_invalid=skip_invalid)
    single = output.suffix.lower() == ".json" and to == "coco"
    target = target_of(str(output.parent if single else output), overwrite=overwrite)
    pictures = [Pictured(picture.path, picture.content, picture.split) for picture in kept]
    categories, document = one.book.categories, one.book.document
    if to == "coco":  # it says itself where pictures lie
        files = written("coco", categories, pictures, document, losses)
    else:
        walk = layout.placed(cast("Format", to), pictures)
        files = laid_out(cast("Format", to), categories, walk, document, losses)
    try:
        for name, chunks in files:
            target.write(output.name if single else name, chunks)
        target.finish()
    finally:
        target.close()
    marking.say_losses(to, losses)
    objects = sum(len(picture.content.annotations) for picture in kept)
    click.echo(f"{len(kept):,} images, {objects:,} annotations → {output}", err=True)


def _facts(source: Path, images: Path | None) -> "Callable[[], Iterator[FileFacts]]":
    """Return what lists the pictures that are at hand."""
    from mediamill.media import annotated

    def listed() -> "Iterator[FileFacts]":
        with annotated.local(images or source) as tree:
            yield from annotated.pictures(tree)

    return listed

"""Look at a whole set before anything is made of it: measure each input, then reduce the measures.

What is measured of an input is its outcome's data, `{"images": […]}`, or a file of lines where that
is long, and `{"pictures": …}` says how many; nothing holds all of it. What all measures come to is
agreed for the steps that run afterwards.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from mediamill.core.errors import LimitExceeded
from mediamill.operations.work import Context, Measure, Outcome, Source

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture
    from mediamill.operations.base import MediaOperation

INLINE_BYTES = 6_000
"""Measures of an input that are kept with its row; longer ones are a file."""
MOST_BYTES = 64_000
"""Measures of one picture."""
AGREED_BYTES = 8_000
"""What a step may agree on: the job has it in its row, and every call of the step."""
REPORTED_BYTES = 128_000
"""What a report may say beside its files, which is in the row of its result only."""
LINES = "application/x-ndjson"


@dataclass(frozen=True)
class Line(Measure):
    """What is written of an input; where `lines` is not 0, so many follow, one per picture."""

    lines: int = 0
    length: int = 0
    """Their bytes."""

    def encoded(self) -> bytes:
        """Return it as JSON, with the end of the line."""
        return msgspec.json.encode(self) + b"\n"


@dataclass(frozen=True)
class Images:
    """The measures of an input's pictures, read from a file whenever one goes through them."""

    lines: Source
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self.lines.open() as stream:
            for line in stream:
                yield msgspec.json.decode(line)

    def __contains__(self, image: object) -> bool:
        return any(each == image for each in self)


_encoder = msgspec.json.Encoder(enc_hook=lambda value: value.tolist())  # numpy's scalars
_line = msgspec.json.Decoder(Line)


def measured(
    first: "MediaOperation",
    following: "Sequence[MediaOperation]",
    source: Source,
    context: Context,
) -> Outcome:
    """Measure what one input is when it comes to the last of some steps.

    Raises what the steps raise, and `LimitExceeded` for more than a few kB of a picture.
    """
    lines, start, size = _lines((first, *following), source, context), list[bytes](), 0
    for line in lines:
        start.append(line)
        size += len(line)
        if size > INLINE_BYTES:
            break
    else:
        return Outcome(data={"images": [msgspec.json.decode(line) for line in start]})
    with context.output("measures.jsonl", LINES) as writer:
        count = sum(writer.write(line) > 0 for line in itertools.chain(start, lines))
    return Outcome((writer.output,), data={"pictures": count})


def _lines(steps: "Sequence[MediaOperation]", source: Source, context: Context) -> Iterator[bytes]:
    """Yield what the last of some steps measures of each picture."""
    *before, surveyor = steps
    own = context.of(surveyor)
    for picture in _pictures(surveyor, before, source, context):
        known = {**picture.info, "width": picture.width, "height": picture.height}
        line = _encoder.encode({"info": known, **surveyor.measure_picture(picture, own)})
        if len(line) > MOST_BYTES:
            raise LimitExceeded(f"What is measured of a picture has {len(line):,} bytes.")
        yield line + b"\n"
    context.progress(1.0)


def _pictures(
    surveyor: "MediaOperation",
    before: "Sequence[MediaOperation]",
    source: Source,
    context: Context,
) -> "Iterator[Picture]":
    """Yield what comes to the surveyor: a picture as it is, or what the steps before make of it."""
    if before:
        return before[0].pictures(source, context, before[1:])
    return surveyor.originals(source, context)


def reduced(surveyor: "MediaOperation", source: Source, context: Context) -> Outcome:
    """Return what the measures in a file of lines come to; raises what the step's `reduce` does."""
    named = surveyor.references
    measures = (one for one in _measures(source, context) if not one.reference or one.file in named)
    outcome = surveyor.reduce(measures, context)
    size, most = len(_encoder.encode(dict(outcome.data or {}))), REPORTED_BYTES
    if surveyor.applies:
        most = AGREED_BYTES
    if size > most:
        raise LimitExceeded(f"What the set comes to has {size:,} bytes, more than {most:,}.")
    context.progress(1.0)
    return outcome


def _measures(source: Source, context: Context) -> Iterator[Measure]:
    with source.open() as stream:
        done = 0
        while line := stream.readline():
            done += len(line)
            measure = _line.decode(line)
            if measure.lines:
                behind = replace(source, offset=source.offset + done, size=measure.length)
                done = stream.seek(done + measure.length)
                measure = replace(measure, images=Images(behind, measure.lines))
            yield measure
            context.progress(0.5 * done / max(1, source.size))

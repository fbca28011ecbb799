"""Find out what a file is and refuse what is broken or too large, before anyone works on it.

Codecs are imported for the files that need them: most of a new slot's time would go there.
"""

from typing import TYPE_CHECKING

from mediamill.core.errors import InvalidInput
from mediamill.media.archive.read import read_members
from mediamill.media.documents.types import office_type
from mediamill.media.facts import Facts
from mediamill.media.image.codecs.formats import FORMATS
from mediamill.media.sniff import HEAD, ZIP, sniff

if TYPE_CHECKING:
    from mediamill.media.video.container import Opener


def probe(source: "Opener", name: str, size: int) -> Facts:
    """Tell the type of a file by its content, and for images and videos check that they open.

    What is no image, video or zip is accepted as what it looks like: `application/pdf`, `text/…`,
    or `application/octet-stream`. The directory of a zip is checked, its members are not opened;
    by their names docx, xlsx and pptx are told from other zips.
    `name` only appears in messages.
    Raises `BrokenMedia`, `UnsupportedMedia`, or `LimitExceeded` for over 50 megapixels (frames of
    an animation summed) and for impossible durations.
    """
    with source() as stream:
        head = stream.read(min(HEAD, size))
    media_type = sniff(head)
    if media_type in FORMATS:
        return _image(source, media_type, name)
    if media_type.startswith("video/"):
        from mediamill.media.video.facts import video_facts

        return video_facts(source, media_type, name)
    if media_type == ZIP:
        return _archive(source, name)
    return Facts(media_type)


def _archive(source: "Opener", name: str) -> Facts:
    try:
        with source() as stream:
            members = read_members(stream)
    except InvalidInput as error:
        error.message = f"{name}: {error.message}."
        raise
    return Facts(office_type(member.name for member in members) or ZIP)


def _image(source: "Opener", media_type: str, name: str) -> Facts:
    from mediamill.media.image.codecs.header import read_header

    with source() as stream:
        header = read_header(stream, media_type, name)
    codec = media_type.removeprefix("image/")
    return Facts(media_type, header.width, header.height, 0.0, header.frames, codec)

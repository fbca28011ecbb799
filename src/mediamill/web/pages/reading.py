"""What pages show beyond single records: sheets of frames, and where their pictures are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.store.repositories.jobs import Job
from mediamill.web.archives import members_page
from mediamill.web.serving import INLINE
from mediamill.web.views.results import ResultView, result_view

SHEET = 60
"""Pictures that a sheet shows at first, and more each time."""

_FRAME = re.compile(r"frame-\d+-(\d{1,12})\.\w+$")
_PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|avif)$", re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """A picture of a sheet; `time` is in seconds where its name tells it."""

    url: str
    name: str
    time: float | None = None


@dataclass(frozen=True)
class Sheet:
    """Pictures that one input became, the first of them."""

    title: str
    file: str
    size: int
    count: int | None
    pictures: list[Picture]
    after: str | None
    note: str = ""


async def sheets(app: App, principal: Principal, job: Job) -> list[Sheet]:
    """Make a sheet of each result of a job that holds pictures; of the first twenty results."""
    page = await app.jobs.outcomes(principal, job.id, None, 20)
    found = [await _sheet(app, principal, result_view(result)) for result in page.rows]
    return [sheet for sheet in found if sheet is not None]


async def _sheet(app: App, principal: Principal, result: ResultView) -> Sheet | None:
    archive = next((file for file in result.files if file.media_type == "application/zip"), None)
    if archive is not None:
        shown, after = await pictures(app, principal, archive.id, None)
        count = archive.info.get("frames")
        note = _cut_off(result.report)
        return Sheet(result.name, archive.id, archive.size, count, shown, after, note)
    shown = [Picture(file.url, file.name) for file in result.files if file.media_type in INLINE]
    if not shown:
        return None
    size = sum(file.size for file in result.files)
    return Sheet(result.name, result.files[0].id, size, len(shown), shown[:SHEET], None)


def _cut_off(report: Mapping[str, Any]) -> str:
    """Say that a video is cut off, if it is."""
    if not report.get("truncated"):
        return ""
    return f"The video is cut off after {report.get('last_good_time', 0):.1f} s."


async def pictures(
    app: App, principal: Principal, file_id: str, after: str | None
) -> tuple[list[Picture], str | None]:
    """List some pictures of an archive, and the cursor of those that follow."""
    page = await members_page(app, principal, file_id, after, SHEET)
    shown = [
        Picture(member.url, member.path, _time(member.path))
        for member in page.data
        if _PICTURE.search(member.path)
    ]
    return shown, page.after


def _time(name: str) -> float | None:
    """Read the presentation time out of a frame's name."""
    found = _FRAME.search(name)
    return int(found[1]) / 1000 if found else None

"""What type checkers see of both clients; `make check` runs mypy over this, nothing runs it."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from mediamill.client import AsyncMediamill, Mediamill
from mediamill.client.models import FileView, JobView, ResultView


def blocking(client: Mediamill) -> None:
    assert_type(client.files.get("file_1"), FileView)
    assert_type(client.jobs.submit(files=["file_1"]), JobView)
    assert_type(client.jobs.results("job_1"), Iterator[ResultView])
    client.jobs.submit(fils=["file_1"])  # type: ignore[call-arg]  # a field that there is not
    client.files.get(1)  # type: ignore[arg-type]  # an id is a text
    client.files.get("file_1")["nam"]  # type: ignore[misc]  # neither is this


async def awaited(client: AsyncMediamill) -> None:
    assert_type(await client.files.get("file_1"), FileView)
    assert_type(client.jobs.results("job_1"), AsyncIterator[ResultView])
    client.files.get("file_1")["name"]  # type: ignore[index]  # it was not awaited

"""A client for a Mediamill server, that blocks (`Mediamill`) or is awaited (`AsyncMediamill`).

    with Mediamill("https://media.example", token) as client:
        file = client.files.upload("clip.mp4")
        job = client.jobs.run(files=[file["id"]], steps=[{"operation": "extract-frames"}])
        for result in client.jobs.results(job["id"]):
            print(result["path"])

It imports nothing else of this package. What comes back are dictionaries whose shapes are in
`mediamill.client.models`.
"""

from mediamill.client.connecting import AsyncMediamill, Mediamill
from mediamill.client.errors import (
    Busy,
    Changed,
    ClientError,
    Conflict,
    Corrupt,
    Ended,
    Forbidden,
    InvalidInput,
    NotFound,
    Problem,
    ServerError,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unexpected,
    Unreachable,
)  # fmt: skip
from mediamill.client.following import Event
from mediamill.client.retrying import NEVER, Retries
from mediamill.client.sources import BytesSource, FileSource, Source, StreamSource

__all__ = [
    "NEVER", "AsyncMediamill", "Busy", "BytesSource", "Changed", "ClientError", "Conflict",
    "Corrupt", "Ended", "Event", "FileSource", "Forbidden", "InvalidInput", "Mediamill", "NotFound",
    "Problem", "Retries", "ServerError", "Source", "StreamSource", "TimedOut", "TooManyRequests",
    "Unauthorized", "Unexpected", "Unreachable",
]  # fmt: skip

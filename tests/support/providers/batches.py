"""Batches of Bedrock with the bucket that their files are in.

https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tests.support.providers.server import Reply, Request
from tests.support.providers.vendors import aws_error, conversed

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/"
WHEN = "2026-11-22T07:00:00Z"


def answered(record: dict[str, Any]) -> dict[str, Any]:
    """Answer a record as a model would."""
    text = record["modelInput"]["messages"][0]["content"][-1]["text"]
    return {"modelOutput": conversed([{"text": f"Answer to {text}"}])}


@dataclass
class Batches:
    """Keeps jobs until they are `worked` off."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    aborted: int = 0

    def __call__(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        path, query = unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)
        if path.startswith("/model-invocation-job"):
            return self._job(request, path.rpartition("/model-invocation-job/")[2], query)
        return self._object(request, path.lstrip("/"), query)

    def work(self, answer: Callable[[dict[str, Any]], dict[str, Any]] = answered) -> None:
        """Answer what was handed in."""
        for arn, job in self.jobs.items():
            place = job["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].removeprefix("s3://")
            lines = []
            for line in self.objects[place].splitlines():
                record = msgspec.json.decode(line)
                lines.append(msgspec.json.encode({**record, **answer(record)}))
            folder = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix("s3://")
            name = f"{folder}{arn.rpartition('/')[2]}/{place.rpartition('/')[2]}.out"
            self.objects[name] = b"\n".join(reversed(lines))  # in no order
            job["status"] = "Completed"

    def _job(self, request: Request, name: str, query: dict[str, list[str]]) -> Reply:
        if request.method == "POST" and name.endswith("/stop"):
            return self._stop(self.jobs[ARN + name.removesuffix("/stop").rpartition("/")[2]])
        if request.method == "POST":
            asked = request.json
            self.created.append(asked)
            arn = f"{ARN}{len(self.jobs):012}"
            self.jobs[arn] = {**asked, "jobArn": arn, "status": "Submitted", "submitTime": WHEN}
            return Reply({"jobArn": arn})
        if "nameContains" in query:
            found = [
                job for job in self.jobs.values() if query["nameContains"][0] in job["jobName"]
            ]
            return Reply({"invocationJobSummaries": found})
        return Reply(self.jobs[ARN + name.rpartition("/")[2]])

    def _stop(self, job: dict[str, Any]) -> Reply:
        if job["status"] in ("Completed", "Stopped"):
            return aws_error(409, "ConflictException", "The job is over")
        job["status"] = "Stopped"
        return Reply({})

    def _object(self, request: Request, path: str, query: dict[str, list[str]]) -> Reply:
        xml = {"Content-Type": "application/xml"}
        if "uploads" in query:
            self.parts.clear()
            body = b"<InitiateMultipartUploadResult><UploadId>up</UploadId>"
            return Reply(body + b"</InitiateMultipartUploadResult>", headers=xml)
        if request.method == "PUT":
            self.parts.append(request.body)
            return Reply(b"", headers={"ETag": f'"{len(self.parts)}"'})
        if request.method == "DELETE":
            self.aborted += 1
            return Reply(b"", 204)
        if request.method == "POST":
            self.objects[path] = b"".join(self.parts)
            return Reply(b"<CompleteMultipartUploadResult/>", headers=xml)
        if path in self.objects:
            return Reply(self.objects[path], headers={"Content-Type": "binary/octet-stream"})
        return Reply(b"<Error><Code>NoSuchKey</Code></Error>", 404, xml)

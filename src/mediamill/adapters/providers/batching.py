"""Batches on Bedrock: many questions in a file of S3, answered within a day for half the price.

https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html

    s3://bucket/prefix/{batch}/questions.jsonl                {"recordId", "modelInput"} each
    s3://bucket/prefix/{batch}/answers/{job}/questions.jsonl.out   {"recordId", "modelOutput"} each

Records are in the form of Converse, the same for all models, so the job's type is `Converse`. A
record's id is the question's in base 32: letters and digits. `{batch}` and the job's name come from
the key, so what is handed in again is the same job.

We need `bedrock:CreateModelInvocationJob`, `GetModelInvocationJob`, `ListModelInvocationJobs`,
`StopModelInvocationJob`, `iam:PassRole` for the role, and `s3:PutObject`, `GetObject`,
`AbortMultipartUpload` below the prefix; the role `s3:ListBucket`, `GetObject`, `PutObject` there
and `bedrock:InvokeModel`.
"""

import base64
import hashlib
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.cloud import Cloud, told
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.converse import Converse
from mediamill.adapters.providers.faults import away, declined, harmless, misconfigured
from mediamill.adapters.providers.port import Answer, Question
from mediamill.core.errors import InvalidAnswer

LEAST = 100
"""Records that a job has at least; quotas say how many at most."""
OPTIONS = frozenset({"batch", "role", "batch_endpoint", "s3_endpoint"})
FILE = "questions.jsonl"
PART_BYTES = 8 << 20
MOST_BYTES = 1 << 30
"""Of a job's file."""
MOST_LINE = 32 << 20
"""Of an answer, beside which stands its question with its pictures."""
WORKING = frozenset({"Submitted", "Validating", "Scheduled", "InProgress", "Stopping"})
FOLDER = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([-!_*'().a-zA-Z0-9/]*))?")
ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::\d{12}:role/.+")


class Failure(msgspec.Struct):
    """Why a record has no answer."""

    errorMessage: str = ""  # noqa: N815 - as it is on the wire


class Line(msgspec.Struct):
    """A line of answers, as far as it is read."""

    recordId: str  # noqa: N815 - as it is on the wire
    modelOutput: Any = None  # noqa: N815 - as it is on the wire
    error: Failure | None = None


class BatchJobs:
    """Jobs of one model, and the folder where their files are."""

    def __init__(
        self, talk: Converse, folder: tuple[str, str], role: str, bedrock: Cloud, s3: Cloud
    ) -> None:
        self.name = talk.name
        self._talk, self._role = talk, role
        self._bucket, self._prefix = folder
        self._bedrock, self._s3 = bedrock, s3

    @classmethod
    def of(cls, configured: Configured, address: Address, talk: Converse) -> "BatchJobs":
        """Read what the address says; raises `ValueError`."""
        folder = FOLDER.fullmatch(address.options["batch"])
        role = address.options.get("role", "")
        if folder is None or not ROLE.fullmatch(role):
            raise ValueError("batch is s3://bucket/prefix, with role=arn:aws:iam::…:role/…")
        path = {"s3": {"addressing_style": "path"}} if "s3_endpoint" in address.options else {}
        bedrock = Cloud(configured, address, "bedrock", "batch_endpoint")
        s3 = Cloud(configured, address, "s3", "s3_endpoint", **path)
        prefix = (folder[2] or "").strip("/")
        return cls(talk, (folder[1], f"{prefix}/" if prefix else ""), role, bedrock, s3)

    async def submit(self, questions: Sequence[tuple[str, Question]], key: str) -> str:
        """Hand in questions and return the job's ARN; once for each key.

        Raises what `Provider.ask` does.
        """
        if len(questions) < LEAST:
            raise declined(self.name, f"takes {LEAST} questions at once, or more")
        batch = f"mediamill-{hashlib.sha256(key.encode()).hexdigest()[:40]}"
        folder = f"{self._prefix}{batch}/"
        with told(self.name):
            known = await self._known(batch)
            if known is None:
                await self._upload(folder + FILE, self._lines(questions))
                known = await self._create(batch, folder)
        return known

    async def collect(self, batch: str) -> Mapping[str, Answer | str] | None:
        """Return the answers of a job by id, or why there is none; None while it is worked on.

        A question that is not among them was not asked. Raises what `Provider.ask` does, and
        `ProviderRefused` for a job that failed as a whole.
        """
        with told(self.name):
            client = await self._bedrock.client()
            job = await client.get_model_invocation_job(jobIdentifier=batch)
            if job.get("status") in WORKING:
                return None
            if job.get("status") == "Failed":
                why = harmless(job.get("message", ""))
                raise misconfigured(self.name, f"could not work on a batch: {why}")
            folder = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
            place = folder.removeprefix(f"s3://{self._bucket}/")
            found: dict[str, Answer | str] = {}
            lines = self._read(f"{place}{batch.rpartition('/')[2]}/{FILE}.out")
            async with aclosing(lines):
                async for line in lines:
                    self._take(line, found)
            return found

    async def stop(self, batch: str) -> None:
        """Stop a job, unless it is over; raises what `Provider.ask` does."""
        with told(self.name):
            client = await self._bedrock.client()
            try:
                await client.stop_model_invocation_job(jobIdentifier=batch)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ConflictException":
                    raise

    async def close(self) -> None:
        """Close connections."""
        await self._bedrock.close()
        await self._s3.close()

    def _lines(self, questions: Sequence[tuple[str, Question]]) -> Iterator[bytes]:
        for id_, question in questions:
            if question.begun:
                raise declined(self.name, "goes on with no answers in a batch")
            asked = {"recordId": _record(id_), "modelInput": self._talk.request(question)}
            yield msgspec.json.encode(asked) + b"\n"

    async def _known(self, batch: str) -> str | None:
        """Return the job of that name, if there is one."""
        client = await self._bedrock.client()
        page = await client.list_model_invocation_jobs(nameContains=batch, maxResults=10)
        jobs = page.get("invocationJobSummaries", ())
        return next((str(job["jobArn"]) for job in jobs if job["jobName"] == batch), None)

    async def _create(self, batch: str, folder: str) -> str:
        at = f"s3://{self._bucket}/{folder}"
        client = await self._bedrock.client()
        job = await client.create_model_invocation_job(
            jobName=batch,
            clientRequestToken=batch,
            modelId=self._talk.model,
            modelInvocationType="Converse",
            roleArn=self._role,
            inputDataConfig={"s3InputDataConfig": {"s3Uri": at + FILE, "s3InputFormat": "JSONL"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"{at}answers/"}},
        )
        return str(job["jobArn"])

    async def _upload(self, key: str, lines: Iterator[bytes]) -> None:
        """Write an object in parts, so that only one is in memory."""
        client, place = await self._s3.client(), {"Bucket": self._bucket, "Key": key}
        upload = (await client.create_multipart_upload(**place))["UploadId"]
        parts, sent = [], 0
        try:
            for number, data in enumerate(_gathered(lines), 1):
                sent += len(data)
                if sent > MOST_BYTES:
                    raise declined(self.name, f"takes {MOST_BYTES:,} bytes of questions at once")
                part = await client.upload_part(
                    **place, UploadId=upload, PartNumber=number, Body=data
                )
                parts.append({"PartNumber": number, "ETag": part["ETag"]})
            await client.complete_multipart_upload(
                **place, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except BaseException:
            await client.abort_multipart_upload(**place, UploadId=upload)
            raise

    async def _read(self, key: str) -> AsyncGenerator[bytes, None]:
        """Return the lines of an object, of which one at a time is in memory."""
        client = await self._s3.client()
        try:
            found = await client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return  # it ended before anything was answered
            raise
        rest = bytearray()
        stream = found["Body"].raw_stream
        try:
            async for chunk in stream.content.iter_any():
                rest += chunk
                *whole, last = rest.split(b"\n") if b"\n" in chunk else (rest,)
                for line in filter(None, whole):
                    yield bytes(line)
                rest = last
                if len(rest) > MOST_LINE:
                    raise away(self.name, "has an answer that is too long to be read")
        finally:
            stream.close()
        if rest:
            yield bytes(rest)

    def _take(self, data: bytes, found: dict[str, Answer | str]) -> None:
        try:
            line = msgspec.json.decode(data, type=Line)
            id_ = _id(line.recordId)
        except (ValueError, RecursionError):
            return  # it is as if it were not answered
        if line.error is not None:
            found[id_] = harmless(line.error.errorMessage) or "it was not answered"
            return
        try:
            found[id_] = self._talk.answer(line.modelOutput, "")
        except InvalidAnswer as error:
            found[id_] = error.message


def _gathered(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Join lines to parts of a size that S3 takes."""
    part = bytearray()
    for line in lines:
        part += line
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


def _record(id_: str) -> str:
    return base64.b32encode(id_.encode()).decode("ascii").rstrip("=")


def _id(record: str) -> str:
    return base64.b32decode(record + "=" * (-len(record) % 8)).decode()

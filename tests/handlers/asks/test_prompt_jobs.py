"""Jobs that prompt: documents per file and together, answers kept under readable names."""

import json
from pathlib import Path

from mediamill.store.repositories.jobs import Counts
from tests.handlers.conftest import working
from tests.support import documents as make

PROVIDERS = """
[chains]
prompt = ["one"]
[providers.one]
address = "echo:one?say=About {name}."
[providers.long]
address = "echo:long?length=9000"
[providers.json]
address = "echo:json"
"""
SCHEMA = {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]}


async def test_documents_are_asked_about(tmp_path: Path):
    (path := tmp_path / "providers.toml").write_text(PROVIDERS)
    async with working(tmp_path / "home", providers=str(path)) as works:
        contents = {
            "a.txt": "Grüße".encode("latin-1"), "b.docx": make.docx_of("Dear Sir"),
            "c.pdf": make.pdf("a page with more than enough text on it"),
            "d.pdf": make.pdf_of([make.BOX]), "e.bin": bytes(range(256)),
        }  # fmt: skip
        files = [await works.upload(name, data) for name, data in contents.items()]

        job = await works.run(files[:4], ("prompt", {"prompt": "Sum up {name}, number {index}."}))
        assert job.counts == Counts(succeeded=4)
        rows = await works.rows(job)
        names = [row.files[0].name for row in rows]
        assert names == [f"{name}.result.md" for name in [*contents][:4]]
        assert await works.bytes(rows[1]) == b"About b.docx.\n"
        assert [row.data["provider"] for row in rows if row.data] == ["one"] * 4

        step = ("prompt", {"prompt": "Sum up {name}, number {index}."})
        turned = await works.run(files[3::-1], step)
        assert turned.counts == Counts(succeeded=4), "their numbers are others"
        step = ("prompt", {"prompt": "Sum up {name}."})
        assert (await works.run(files[:4], step)).counts == Counts(succeeded=4)
        assert (await works.run(files[3::-1], step)).counts == Counts(reused=4)
        again = await works.upload("z.txt", contents["a.txt"])
        assert (await works.run([again], step)).counts == Counts(succeeded=1), "its name is sent"

        long = {"prompt": "x", "model": "long", "max_tokens": 500}
        job = await works.run(files[:1], ("prompt", long))
        (row,) = await works.rows(job)
        assert row.data is not None
        assert (row.data["continuations"], row.data["truncated"]) == (4, False)
        said = (await works.bytes(row)).decode().split()
        stem = said[0].partition("-")[0]
        assert said[:-1] == [f"{stem}-{n}" for n in range(len(said) - 1)]  # echo cuts the last

        parameters = {"prompt": "x", "providers": ["json"], "output_schema": SCHEMA}
        job = await works.run(files[:1], ("prompt", parameters))
        (row,) = await works.rows(job)
        assert row.files[0].name == "a.txt.result.json"
        assert isinstance(json.loads(await works.bytes(row))["sum"], int | float)

        job = await works.run(files, ("prompt", {"prompt": "Compare.", "group": True}))
        assert (job.stages, job.failed_earlier) == (2, 1), "bytes without a meaning"
        (row,) = await works.rows(job)
        assert row.files[0].name == "all.result.md"
        assert (await works.bytes(row)).startswith(b"About ")

"""Jobs that caption and label: frames are items, texts are data, a copy says what it shows."""

import json
from pathlib import Path

from mediamill.captions.model import Caption
from mediamill.store.repositories.jobs import Counts
from tests import media_factory as make
from tests.handlers.conftest import working

SAID = json.dumps({"concise": "Colours that move", "creative": "Colours dance. Nothing rests."})
PROVIDERS = f"""
[chains]
caption = ["away", "good"]
label = ["good"]
[providers.away]
address = "echo:away?fault=500*"
[providers.good]
address = "echo:good?labels=Dog:0.9,Cat:0.2"
options = {{say = '{SAID}'}}
price = {{call = 0.001}}
"""


async def test_frames_are_captioned_one_by_one(tmp_path: Path):
    (path := tmp_path / "providers.toml").write_text(PROVIDERS)
    video = make.clip(tmp_path / "a.mp4", seconds=1).read_bytes()
    async with working(tmp_path / "home", providers=str(path)) as works:
        file = await works.upload("a.mp4", video)
        job = await works.run([file], ("extract-frames", {"count": 3}), "caption")
        assert (job.stage, job.counts) == (1, Counts(succeeded=3))
        rows = await works.rows(job)
        assert [row.name.startswith("a-frame-") for row in rows] == [True] * 3
        for row in rows:
            assert row.data is not None
            found = [Caption.from_data(one) for one in row.data["captions"]]
            assert [one.variant for one in found] == ["concise", "creative"]
            assert {one.provider for one in found} == {"good"}, "not the first of the chain"
            assert not row.files
        attempts = [one async for one in works.app.repositories.attempts.walk_job(job.id)]
        answered = [one for one in attempts if one.provider == "good"]
        assert [(one.name, one.cost) for one in answered] == [("captions-en", 1_000)] * 3

        photo = await works.upload("b.jpg", make.sample("orientation-6.jpg").read_bytes())
        job = await works.run([photo], ("caption", {"write_iptc": True}))
        (row,) = await works.rows(job)
        assert [file.name for file in row.files] == ["b.jpg"]
        copy = await works.bytes(row)
        assert b"Colours dance. Nothing rests." in copy

        job = await works.run([photo], "label")
        (row,) = await works.rows(job)
        assert row.data is not None
        assert [one["name"] for one in row.data["labels"]] == ["Dog"]

        step = ("caption", {"use_name": True})
        assert (await works.run([photo], step)).counts.succeeded == 1
        again = await works.upload("c.jpg", make.sample("orientation-6.jpg").read_bytes())
        assert (await works.run([again], "caption")).counts.succeeded == 1
        assert (await works.run([photo], "caption")).counts.reused == 1, "whatever it is called"
        assert (await works.run([again], step)).counts.succeeded == 1, "its name was sent"
        assert (await works.run([again], step)).counts.reused == 1

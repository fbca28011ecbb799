"""Where files lie in a folder, nothing is signed: the service says so, and how else."""

import pytest

from mediamill.services.uploads import direct
from tests.support.places import EMBEDDED
from tests.web.test_strangers import PNG

pytestmark = pytest.mark.places(EMBEDDED)


async def test_a_folder_has_no_requests_to_sign(ann):
    body = {"filename": "a.bin", "size": 5}
    answer = await ann.client.post("/v1/uploads/presigned", json=body)
    assert answer.status_code == 409
    assert answer.json()["details"]["alternatives"] == ["/v1/uploads", "/v1/files"]
    assert "mediamill-direct" not in (await ann.client.options("/v1/uploads")).headers
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    place = f"/v1/files/{file}/content"
    assert (await ann.client.get(place, params={"direct": True})).content == PNG


def test_how_large_parts_are():
    for size in (1, 5 << 20, 20 << 30, 5 << 40):
        part = direct.part_size_of(size)
        assert part >= 5 << 20
        assert part <= 5 << 30
        assert part % (1 << 20) == 0
        assert -(-size // part) <= 10_000

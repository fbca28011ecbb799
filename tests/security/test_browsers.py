"""What a browser is told to forget, and what no answer of ours lets it load."""

from tests.web.conftest import admin, ann, mill, nobody, web  # noqa: F401 - fixtures
from tests.web.test_strangers import PNG


async def test_signing_out_takes_pages_and_pictures_along(ann):
    answer = await ann.client.post("/v1/auth/logout")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'


async def test_no_answer_lets_a_base_or_a_plugin_in(ann, nobody):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    answers = [
        await nobody.get("/signin"),
        await nobody.get("/v1/me"),
        await ann.client.get("/v1/me"),
        await ann.client.get(f"/v1/files/{file}/content"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= {*policy}
        assert not any(one.startswith("object-src") for one in policy)

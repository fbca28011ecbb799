"""Cognito as ministack does it: its tokens, right and wrong in one way (S4), and its own page."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.security.test_issuers_tokens import ATTACKS, ODD, Kit, accepted, ask, service
from tests.support.issuers import Cognito, claims_of, cognito
from tests.web.conftest import client_of
from tests.web.test_sign_in import begun, browser_of, me


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cognito]:
    """A user pool, in an emulator of its own."""
    with cognito(tmp_path_factory.mktemp("cognito")) as one:
        yield one


async def test_cognitos_wrong_tokens_are_nobodys(tmp_path, pool: Cognito):
    tokens, other = pool.tokens(), pool.tokens(pool.other)
    header = json.loads(base64.urlsafe_b64decode(tokens["AccessToken"].partition(".")[0] + "=="))
    key, token = pool.key(), tokens["AccessToken"]
    kit = Kit(token, tokens["IdToken"], key, header["kid"], header)
    assert claims_of(token)["client_id"] == pool.ours
    assert "aud" not in claims_of(token)
    async with (
        await service(tmp_path, pool.url()) as mill,
        client_of(create_app(mill)) as client,
    ):
        answers = await accepted(client, kit)
        assert await ask(client, other["AccessToken"]) == 401  # real, for another client
        assert await ask(client, kit.made(client_id=None)) == 401
        odd = {name: await ask(client, kit.made(client_id=value)) for name, value in ODD.items()}
        assert odd == dict.fromkeys(ODD, 401)
        assert await ask(client, kit.made(token_use=None)) == 401
        assert await ask(client, kit.made(aud="elsewhere")) == 401
        assert await ask(client, tokens["RefreshToken"]) == 401
    assert answers == dict.fromkeys(ATTACKS, 401)
    more = pool.url(clients=pool.other)
    async with await service(tmp_path, more) as mill, client_of(create_app(mill)) as client:
        assert await ask(client, other["AccessToken"]) == 200


async def test_through_cognitos_own_page(tmp_path, pool):
    """A person on the page, their program by Cognito's API, and the group that administers."""
    url = pool.url(admins="chiefs", label="Cognito")
    settings = Settings(home=tmp_path / "h", identity_url=url, slots=1, min_free_bytes=0)
    async with await App.open(settings) as mill, browser_of(create_app(mill)) as (here, there):
        form = await there.get(await begun(here, "/jobs/job_x"))
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.text))
        said = {**fields, "username": "ann", "password": "Right-horse-7"}
        sent = await there.post(f"{pool.endpoint}/login", data=said)
        response = await here.get(sent.headers["location"])
        assert (response.status_code, response.headers["location"]) == (303, "/jobs/job_x")
        told = (await here.get("/v1/me")).json()
        assert (told["email"], told["role"]) == ("ann@example.org", "admin")
        assert (await me(create_app(mill), pool.tokens()["AccessToken"])) == told
        assert (await here.get(sent.headers["location"])).status_code == 401  # a code is good once
        onward = (await here.get("/auth/oidc/end")).headers["location"]
        assert {"client_id", "logout_uri"} <= parse_qs(urlsplit(onward).query).keys()

"""What the service shows of itself to whoever looks, and what its settings are by default."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from mediamill.core.settings import Settings
from tests.web.conftest import admin, ann, mill, nobody, web  # noqa: F401 - fixtures

METHODS = ("TRACE", "TRACK", "CONNECT", "DEBUG")


async def test_no_folder_is_listed(nobody):
    for path in ("/static/", "/static/editor/", "/static/.git/", "/.git/"):
        assert (await nobody.get(path)).status_code == 404, path


async def test_nothing_is_sent_back_as_it_came(ann):
    for path in ("/", "/signin", "/v1/me", "/v1/files", "/health/live"):
        for method in METHODS:
            answer = await ann.client.request(method, path, headers={"x-mine": "seen"})
            assert answer.status_code == 405, (method, path)
            assert "seen" not in answer.text + str(answer.headers)


async def test_password_fields_are_masked_and_take_what_managers_paste(nobody):
    text = (await nobody.get("/signin")).text
    fields = re.findall(r"<input[^>]*autocomplete=\"(?:current|new)-password\"[^>]*>", text)
    assert fields
    assert all('type="password"' in field for field in fields)
    assert not re.search(r"onpaste|maxlength=\"[0-9]{1,2}\"", text)


def test_no_setting_has_a_secret_as_its_default():
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if isinstance(default, SecretStr):
            assert default.get_secret_value() == "", name
        elif isinstance(default, str) and "://" in default:
            assert urlsplit(default).password is None, name

"""What `mediamill doctor` says of mail, which it asks about and sends none."""

import asyncio
from urllib.parse import quote

import pytest

from mediamill.cli.service.mailing import ask_mail
from mediamill.core.settings import Settings
from tests.support.certificates import certificates
from tests.support.smtp import PASSWORD, USER, MailServer


@pytest.fixture
async def server(tmp_path):
    server = await MailServer(certificates(tmp_path / "papers")).up()
    yield server
    await server.down()


async def said(home, url, **more):
    return await asyncio.to_thread(ask_mail, Settings(home=home, mail_url=url, **more))


async def test_it_connects_encrypts_and_signs_in(server, tmp_path):
    who = f"{quote(USER)}:{quote(PASSWORD, safe='')}"
    url = f"smtp://{who}@127.0.0.1:{server.port}?ca={server.certificates.authority}"
    good, text = await said(tmp_path, url)
    assert good
    assert "answers, STARTTLS, signed in, from mill@example.org" in text
    assert "so set MEDIAMILL_PUBLIC_URL" in text
    good, text = await said(tmp_path, url, public_url="https://mill.example.org")
    assert "MEDIAMILL_PUBLIC_URL" not in text
    server.password = "another"
    good, text = await said(tmp_path, url)
    assert not good
    assert "refuses the user and password" in text
    assert PASSWORD not in text
    assert server.received == []


async def test_files_are_asked_nothing(tmp_path):
    assert await said(tmp_path, "") is None


async def test_what_is_missing_or_wrong_is_said(tmp_path, server):
    good, text = await said(tmp_path, f"smtp://127.0.0.1:{server.port}?from=a@b.org")
    assert good  # on this machine no encryption is asked for
    for url, words in (
        ("smtp://mail.example.org", "MEDIAMILL_MAIL_URL: say who the mails come from"),
        (f"smtps://127.0.0.1:{server.port}?from=a@b.org", "cannot be used"),
    ):
        good, text = await said(tmp_path, url)
        assert not good
        assert words in text

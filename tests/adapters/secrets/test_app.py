"""The whole service on settings that are kept elsewhere: what changes there counts in it."""

import pytest

from mediamill.adapters.secrets import reading
from mediamill.adapters.secrets.file import FileKeeper
from mediamill.adapters.secrets.opening import read_settings
from mediamill.app import App
from mediamill.core.errors import Unavailable
from mediamill.services.links.signing import Grant, Signer, derived
from tests.contracts.mail_contract import letter
from tests.support.certificates import certificates
from tests.support.smtp import USER, MailServer


@pytest.mark.embedded("which store it has does not matter")
async def test_mails_and_links_follow_their_secrets(tmp_path, monkeypatch):
    monkeypatch.setattr(FileKeeper, "holds_seconds", None)  # only a refusal asks again
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
    made, said = certificates(tmp_path / "tls"), {"secret": "x" * 20, "mail": "first/@:%"}
    for name, text in said.items():
        (tmp_path / name).write_text(text)
    server = await MailServer(made, password=said["mail"]).up()
    who = f"{USER.replace('@', '%40')}:${{file:{tmp_path}/mail}}"
    settings = await read_settings(
        home=tmp_path / "home",
        min_free_bytes=0,
        secret=f"${{file:{tmp_path}/secret}}",
        mail_url=f"smtp://{who}@127.0.0.1:{server.port}?ca={made.authority}",
    )
    async with await App.open(settings) as mill:
        await mill.parts.post.send(letter(1))
        server.password = "second/@:%"
        with pytest.raises(Unavailable, match="refuses the user and password"):
            await mill.parts.post.send(letter(2))
        (tmp_path / "mail").write_text(server.password)
        await mill.parts.post.send(letter(2))
        grant = Grant("GET", "file:x", "user_x", mill.clock.now() + 60_000)
        old = await mill.links.signer.issue(grant)
        (tmp_path / "secret").write_text("y" * 20)
        new = await Signer(derived("y" * 20), mill.clock).issue(grant)
        for token in (new, old):
            assert await mill.links.signer.opened(token, "GET") == grant
        assert await mill.links.signer.issue(grant) == new
    await server.down()
    assert [taken.user for taken in server.received] == [USER, USER]

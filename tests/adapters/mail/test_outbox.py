"""Mails as files: one each, whole, the same one for a repeat, and not without end."""

import os
import time
from email import message_from_bytes
from email.policy import default

import pytest

from mediamill.adapters.mail.opening import open_post, probe_post
from mediamill.core.errors import ConfigurationError, Unavailable
from tests.contracts.mail_contract import MailContract, letter


class TestOutbox(MailContract):
    @pytest.fixture
    async def post(self, tmp_path):
        self.folder = tmp_path / "out box"
        post = await open_post(f"outbox:///{str(self.folder)[1:].replace(' ', '%20')}?keep=20")
        yield post
        await post.close()

    def files(self):
        return sorted(self.folder.glob("*")) if self.folder.exists() else []

    async def sent(self):
        found = [message_from_bytes(file.read_bytes(), policy=default) for file in self.files()]
        return [([], mail) for mail in found]

    async def raw(self):
        return self.files()[0].read_bytes()

    async def test_a_repeat_is_the_same_file(self, post):
        for _ in range(3):
            await post.send(letter())
        assert [file.name for file in self.files()] == [f"20261121T123001-{letter().key}.eml"]

    async def test_the_oldest_go(self, post):
        for number in range(25):
            await post.send(letter(number))
        names = [file.name for file in self.files()]
        assert len(names) == 20
        assert names[0].endswith(".5.eml")
        assert names[-1].endswith(".24.eml")

    async def test_what_somebody_who_was_killed_left_is_removed(self, post):
        await post.send(letter(0))
        old, new = (self.folder / f".writing-{name}" for name in ("old", "new"))
        for path in (old, new):
            path.write_bytes(b"half")
        os.utime(old, (time.time() - 4_000,) * 2)
        await post.send(letter(1))
        assert [path.exists() for path in (old, new)] == [False, True]

    async def test_letters_to_this_machine_are_read_here(self, post):
        assert post.anywhere
        await post.send(letter(to="admin@localhost"))

    async def test_a_folder_that_cannot_be_may_be_mended(self, post):
        self.folder.write_text("in the way")
        with pytest.raises(Unavailable, match="outbox"):
            await post.send(letter())


@pytest.mark.parametrize(
    "url", ["outbox:", "outbox://folder", "outbox:///a?keep=0", "outbox:///a?keep=x",
            "outbox:///a?more=1", "letterbox:///a", ""],
)  # fmt: skip
async def test_what_is_wrong_is_said(url):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_MAIL_URL"):
        await open_post(url)


async def test_there_is_nobody_to_ask(tmp_path):
    assert await probe_post(f"outbox://{tmp_path}/x") is None

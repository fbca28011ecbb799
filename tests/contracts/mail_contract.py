"""What every way to send mail does; a backend's test class inherits it.

It gives `post`, `sent` (what arrived, as parsed mails, with the plain text of who it went to), and
`overrides`: headers that the server writes itself.
"""

from datetime import UTC, datetime

import pytest

from mediamill.adapters.mail.port import Letter, Post
from mediamill.core.errors import DeliveryRefused, MediamillError

NAMES = (
    "clip.mp4",
    "Zürich, Straße 5.jpg",
    "ファイル名 – 写真 🎞.png",
    "a\r\nBcc: eve@example.org",
    "b\nSubject: hello\n\nbody",
    "nul\x00 and \x1b[31m and \u2028 line",
    "<script>alert(1)</script>",
    "=?utf-8?q?=0ABcc=3A?= eve",
    "x" * 300,
)


def letter(number: int = 1, **changes: object) -> Letter:
    said = {
        "to": "ann@example.org",
        "subject": "clip.mp4: extract-frames is done",
        "text": "Done – all 3.\nhttps://mill.example.org/jobs/job_1\n.\n",
        "html": "<p>Done – <b>all 3</b>.</p>\n<p>.</p>\n",
        "key": f"job_01M7ZCQPPN71VP0FHYP101RM15.{number}",
        "date": datetime(2026, 11, 21, 12, 30, number, tzinfo=UTC),
        "headers": {
            "List-Unsubscribe": f"<https://mill.example.org/unsubscribe/mmk_{'Ab-_9' * 40}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }
    return Letter(**{**said, **changes})


class MailContract:
    overrides: frozenset[str] = frozenset()

    @pytest.fixture
    async def post(self) -> Post:
        raise NotImplementedError

    async def sent(self) -> list[tuple[list[str], object]]:
        """Return whom each mail went to, if that is known, and the mail."""
        raise NotImplementedError

    async def only(self):
        (found,) = await self.sent()
        return found

    async def test_a_letter_arrives_as_it_was_written(self, post):
        await post.send(letter())
        to, mail = await self.only()
        assert to in ([], ["ann@example.org"])
        assert mail["To"].addresses[0].addr_spec == "ann@example.org"
        assert "@" in mail["From"].addresses[0].addr_spec
        assert mail["Subject"] == letter().subject
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["List-Unsubscribe"] == letter().headers["List-Unsubscribe"]
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        if "Message-ID" not in self.overrides:
            assert mail["Message-ID"].startswith(f"<{letter().key}@")
            assert mail["Date"].datetime == letter().date
        text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
        assert text.replace("\r\n", "\n") == letter().text
        assert html.replace("\r\n", "\n") == letter().html

    async def test_the_web_address_of_the_end_is_not_encoded(self, post):
        """Mail programs look for it as it is; the library would encode what is long."""
        await post.send(letter())
        _, mail = await self.only()
        raw = mail.as_bytes() if isinstance(mail, str) else await self.raw()
        line = f"List-Unsubscribe: {letter().headers['List-Unsubscribe']}".encode()
        assert line in raw.replace(b"\r\n", b"\n").split(b"\n")

    async def raw(self) -> bytes:
        raise NotImplementedError

    async def test_names_are_told_whole_and_add_no_header(self, post):
        for number, name in enumerate(NAMES):
            await post.send(letter(number, subject=f"{name}: is done", text=name, html="<p>x</p>"))
        mails = [mail for _, mail in await self.sent()]
        assert len(mails) == len(NAMES)
        for name, mail in zip(NAMES, mails, strict=True):
            assert "Bcc" not in mail
            assert len(mail.get_all("Subject")) == 1
            assert mail["Subject"].isprintable()
            assert len(mail.get_all("To")) == 1
            assert mail.get_body(("plain",)) is not None
            if name.isprintable() and len(name) < 100 and not name.startswith("=?"):
                assert mail["Subject"] == f"{name}: is done"

    async def test_what_is_no_address_is_refused_for_good(self, post):
        for to in ("", "ann", "ann@", "@example.org", "ann@example.org, eve@example.org",
                   "ann@example.org\r\nBcc: eve@example.org", "<ann@example.org>",
                   "ann @example.org", "ann@exa mple.org"):  # fmt: skip
            with pytest.raises(DeliveryRefused) as refused:
                await post.send(letter(to=to))
            assert not refused.value.retryable
        assert await self.sent() == []

    async def test_a_domain_of_any_script_is_reached(self, post):
        await post.send(letter(to="ann@bücher.example"))
        _, mail = await self.only()
        assert mail["To"].addresses[0].addr_spec == "ann@xn--bcher-kva.example"

    async def test_a_key_that_is_none_is_a_mistake_of_ours(self, post):
        for key in ("a b", "a>b", "a\r\nb", ""):
            with pytest.raises(ValueError, match="Message-ID"):
                await post.send(letter(key=key))
        assert not issubclass(ValueError, MediamillError)

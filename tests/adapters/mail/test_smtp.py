"""The contract through a real SMTP server with STARTTLS and AUTH, and others that differ."""

import asyncio
import os
import re
from urllib.parse import quote

import pytest

from mediamill.adapters.mail import smtp
from mediamill.adapters.mail.opening import open_post, probe_post
from mediamill.core.errors import ConfigurationError, DeliveryRefused, Unavailable
from mediamill.core.sourced import Fixed
from tests.contracts.mail_contract import MailContract, letter
from tests.support.certificates import certificates
from tests.support.listening import listening
from tests.support.smtp import PASSWORD, USER, MailServer

WHO = f"{quote(USER)}:{quote(PASSWORD, safe='')}"


@pytest.fixture(scope="session")
def papers(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("mail"))


@pytest.fixture(scope="session")
def strange(tmp_path_factory):
    """Papers of somebody else."""
    return certificates(tmp_path_factory.mktemp("strange"))


@pytest.fixture
async def server(papers):
    server = await MailServer(papers).up()
    yield server
    await server.down()


def url_of(server, papers=None, scheme="smtp", who=WHO, **options):
    papers = papers or server.certificates
    given = {"ca": str(papers.authority), **options} if papers else options
    query = "&".join(f"{name}={quote(value)}" for name, value in given.items())
    return f"{scheme}://{who}{'@' if who else ''}127.0.0.1:{server.port}?{query}"


class TestSmtp(MailContract):
    @pytest.fixture
    async def post(self, server):
        self.server = server
        post = await open_post(url_of(server))
        yield post
        await post.close()

    async def sent(self):
        assert all(taken.encrypted and taken.user == USER for taken in self.server.received)
        return [(taken.to, taken.mail) for taken in self.server.received]

    async def raw(self):
        return self.server.received[0].data

    async def test_a_repeat_can_be_recognised(self, post):
        for _ in range(2):
            await post.send(letter())
        assert len({taken.id for taken in self.server.received}) == 1

    async def test_a_name_of_any_script_is_reached_where_that_is_possible(self, post):
        await post.send(letter(to="jörg@bücher.example"))
        (taken,) = self.server.received
        assert taken.to == ["jörg@xn--bcher-kva.example"]

    async def test_a_refusal_for_good_is_final(self, post):
        self.server.to["ann@example.org"] = "550 5.1.1 nobody\r\nhere"[:21]
        with pytest.raises(DeliveryRefused, match="550"):
            await post.send(letter())
        self.server.to["ann@example.org"] = "550 <relay@relay.example.org>: unknown user"
        with pytest.raises(DeliveryRefused, match="550"):
            await post.send(letter())
        self.server.to.clear()
        self.server.data = "552 5.3.4 too large"
        with pytest.raises(DeliveryRefused, match=r"552 5\.3\.4 too large"):
            await post.send(letter())

    async def test_what_the_operator_can_mend_is_waited_for(self, post):
        for said, one in (
            ("554 5.7.1 <ann@example.org>: Relay access denied", True),
            ("550 relay not permitted", True),
            ("550 5.7.26 unauthenticated mail is blocked", True),
            ("530 Authentication required", False),
            ("535 5.7.8 bad credentials", False),
        ):
            self.server.to["ann@example.org"] = said
            with pytest.raises(Unavailable, match=said[:3]) as waits:
                await post.send(letter())
            assert waits.value.details == {"recipient": one}, said

    async def test_later_is_later(self, post):
        self.server.to["ann@example.org"] = "450 4.2.0 greylisted"
        with pytest.raises(Unavailable, match="450") as later:
            await post.send(letter())
        assert later.value.details == {"recipient": True}
        self.server.to.clear()
        self.server.data = "451 4.3.0 later"
        with pytest.raises(Unavailable, match="451"):
            await post.send(letter())
        self.server.data = "421 4.3.2 shutting down"
        with pytest.raises(Unavailable, match="421") as away:
            await post.send(letter())
        assert away.value.details == {"recipient": False}

    async def test_a_server_that_is_away_or_hangs(self, post, monkeypatch):
        monkeypatch.setattr(smtp, "STEP_SECONDS", 0.2)
        self.server.hanging = True
        with pytest.raises(Unavailable, match="does not answer in time"):
            await post.send(letter())
        await self.server.down()
        with pytest.raises(Unavailable, match="cannot be used"):
            await post.send(letter())
        self.server.hanging = False
        await self.server.up()
        await post.send(letter())
        assert len(self.server.received) == 1

    async def test_a_wrong_password_is_the_operators_to_mend(self, post):
        self.server.password = "another"
        with pytest.raises(Unavailable, match="refuses the user and password") as refused:
            await post.send(letter())
        assert PASSWORD not in str(refused.value)

    async def test_the_server_can_be_asked(self, post):
        told = await post.probe()
        assert told == (f"127.0.0.1:{self.server.port} answers, STARTTLS, signed in, "
                        f"from {USER}")  # fmt: skip
        assert self.server.received == []


class Rotated(Fixed):
    """A setting whose password has changed."""

    async def renewed(self):
        return self.fresh


async def test_a_password_that_was_changed_is_looked_up_once_more(server):
    url = Rotated(url_of(server, who=f"{quote(USER)}:old"))
    url.fresh = url_of(server)
    post = await open_post(url)
    await post.send(letter())
    assert len(server.received) == 1
    url.fresh = url_of(server, who=f"{quote(USER)}:older")
    with pytest.raises(Unavailable, match="refuses"):
        await post.send(letter())


class Broken(Fixed):
    """A setting whose keeper knows nothing, or nonsense, for a while."""

    said = None

    async def current(self):
        if self.said is None:
            raise ConfigurationError("MEDIAMILL_MAIL_URL: nothing is known.")
        return self.said


async def test_a_setting_that_is_broken_meanwhile_ends_no_mail(server):
    url = Broken("", "MEDIAMILL_MAIL_URL")
    url.said = url_of(server)
    post = await open_post(url)
    for said in (None, "smtp://nobody", ""):
        url.said = said
        with pytest.raises(Unavailable, match="MEDIAMILL_MAIL_URL"):
            await post.send(letter())
    url.said = url_of(server)
    await post.send(letter())
    assert len(server.received) == 1


async def test_tls_from_the_beginning(papers):
    server = await MailServer(papers, implicit=True).up()
    try:
        post = await open_post(url_of(server, scheme="smtps"))
        await post.send(letter())
        assert [(t.encrypted, t.user) for t in server.received] == [(True, USER)]
        assert ", TLS, signed in" in await probe_post(url_of(server, scheme="smtps"))
    finally:
        await server.down()


async def test_a_server_on_this_machine_needs_no_encryption():
    """As Mailpit, or a relay of one's own."""
    server = await MailServer().up()
    try:
        post = await open_post(url_of(server, who="", **{"from": "Mill <mill@example.org>"}))
        await post.send(letter())
        (taken,) = server.received
        assert (taken.encrypted, taken.user, taken.sender) == (False, "", "mill@example.org")
        assert str(taken.mail["From"]) == "Mill <mill@example.org>"
        assert taken.id == f"<{letter().key}@example.org>"
    finally:
        await server.down()


async def test_somebody_elses_certificate_is_refused(server, strange, papers):
    post = await open_post(url_of(server, strange))
    with pytest.raises(Unavailable, match="certificate"):
        await post.send(letter())
    told = url_of(server).replace("127.0.0.1", "localhost")
    await (await open_post(told)).send(letter())
    assert len(server.received) == 1


class Plain:
    """A server that says it can sign people in, and has no TLS; it notes what it is told."""

    def __init__(self, offers=b"AUTH PLAIN LOGIN"):
        self.lines, self.offers, self.over = [], offers, asyncio.Event()

    async def __call__(self, reader, writer):
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            self.lines.append(line.strip())
            greeting = b"250-here\r\n250 " + self.offers + b"\r\n"
            writer.write(greeting if line.upper().startswith(b"EHLO") else b"250 fine\r\n")
        writer.transport.abort()
        self.over.set()


@pytest.mark.parametrize("offers", [b"AUTH PLAIN LOGIN", b"STARTTLS"])
async def test_nothing_is_said_to_who_does_not_encrypt(offers, papers):
    """One that has no STARTTLS, and one that says it has and goes on in the clear."""
    plain = Plain(offers)
    async with listening(plain) as port:
        post = await open_post(f"smtp://{WHO}@127.0.0.1:{port}?ca={papers.authority}")
        with pytest.raises(Unavailable):
            await post.send(letter())
        async with asyncio.timeout(60):
            await plain.over.wait()
    said = {line.split()[0].upper() for line in plain.lines if line[:1].isalpha()}
    assert said <= {b"EHLO", b"STARTTLS", b"QUIT"}


def test_no_name_of_a_machine_keeps_us_busy(monkeypatch):
    """Each label of a name was tried in every way to cut it: 40 letters took longer than a day."""
    for name, said in (
        ("a" * 200 + "!", "localhost"),
        ("a-b." * 60 + "_", "localhost"),
        ("mill-7.example.org", "mill-7.example.org"),
        ("", "localhost"),
    ):
        monkeypatch.setattr(smtp.socket, "gethostname", lambda name=name: name)
        assert smtp.own_name.__wrapped__() == said


def server_of(url):
    return smtp.Server.of(url)


def test_encryption_is_asked_for_off_this_machine():
    assert server_of("smtp://a@b.org:p@mail.example.org").starttls
    assert server_of("smtp://a@b.org:p@mail.example.org?allow_plaintext=false").starttls
    assert server_of("smtp://a@b.org:p@10.0.0.5:2525").starttls
    assert not server_of("smtp://10.0.0.5?from=a@b.org&allow_plaintext=true").starttls
    assert not server_of("smtp://localhost:25?from=a@b.org").starttls
    secure = server_of("smtps://a%40b.org:p@mail.example.org")
    assert (secure.tls, secure.starttls, secure.port) == (True, False, 465)
    assert server_of("smtp://a%40b.org:p@mail.example.org").port == 587


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("smtp://mail.example.org", "say who the mails come from"),
        ("smtp://ann:p@mail.example.org", "say who the mails come from"),
        ("smtp://ann@mail.example.org?from=a@b.org", "user and password"),
        ("smtp://?from=a@b.org", "write smtp://"),
        ("smtp://u:s3cret/word@mail.example.org?from=a@b.org", "write smtp://"),
        ("smtp://u:p@mail.example.org:port?from=a@b.org", "write smtp://"),
        ("smtp://u:p@mail.example.org/path?from=a@b.org", "write smtp://"),
        ("smtp://u:p@mail.example.org?from=nobody", "from: it is no address"),
        ("smtp://u:p@mail.example.org?from=a@b.org&tls=no", "unknown parameter tls"),
        ("smtp://u:p@mail.example.org?from=a@b.org&allow_plaintext=yes", "true or false"),
        ("smtp://u:p@mail.example.org?from=a@b.org&ca=/nowhere.pem", "ca: /nowhere.pem"),
    ],
)
async def test_what_is_wrong_is_said_and_no_password(url, said):
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_MAIL_URL") as wrong:
        await open_post(url)
    assert re.search(said, wrong.value.message)
    assert "s3cret" not in wrong.value.message


def test_no_text_of_a_server_holds_its_password():
    address = "smtp://ann%40b.org:{}@mail.example.org"
    assert "s3cret" not in repr(server_of(address.format("s3cret")))


def test_certificates_are_read_once_and_anew_when_they_change(papers, tmp_path, monkeypatch):
    """The system's are many: reading them at each mail keeps all others waiting."""
    made, read = smtp.ssl.create_default_context, []

    def counted(cafile=None):
        read.append(cafile)
        return made(cafile=cafile)

    smtp._trusting.cache_clear()
    monkeypatch.setattr(smtp.ssl, "create_default_context", counted)
    ours = tmp_path / "ca.pem"
    ours.write_bytes(papers.authority.read_bytes())
    plain = "smtp://127.0.0.1?from=mill@example.org"
    for url in (plain, plain.replace("smtp:", "smtps:"), f"{plain}&ca={ours}") * 3:
        smtp.Server.of(url).context()
    assert read == [None, str(ours)]
    os.utime(ours, ns=(1, 1))
    smtp.Server.of(f"{plain}&ca={ours}").context()
    assert read == [None, str(ours), str(ours)]

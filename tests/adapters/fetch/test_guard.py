"""S16: no spelling, name, rebinding or redirect reaches an inner address."""

import asyncio
import ipaddress
import socket
import ssl
import subprocess
import threading

import pytest

from mediamill.adapters.fetch.addresses import is_public, read_address
from mediamill.adapters.fetch.client import Fetcher, Patience
from mediamill.adapters.fetch.guard import Guard, Lookups, read_allowed
from mediamill.core.errors import (
    AddressRefused,
    ConfigurationError,
    FetchFailed,
    SourceUnavailable,
)
from tests.support.services import unavailable
from tests.support.sources import file, fixed, head, source

CALM = Patience(connect=60, answer=60, read=60, window=60, least=1000)

PLAIN = """
http://127.0.0.1:{port}/ http://127.0.0.2:{port}/ http://127.1:{port}/ http://127.0.1:{port}/
http://2130706433:{port}/ http://0x7f000001:{port}/ http://0x7f.0.0.1:{port}/
http://0177.0.0.1:{port}/ http://017700000001:{port}/ http://0x7f.1:{port}/
http://127.0.0.1.:{port}/ http://0:{port}/ http://0.0.0.0:{port}/ http://[::]:{port}/
http://[::1]:{port}/ http://[0:0:0:0:0:0:0:1]:{port}/ http://[::ffff:127.0.0.1]:{port}/
http://[::ffff:7f00:1]:{port}/ http://[::127.0.0.1]:{port}/ http://[64:ff9b::7f00:1]:{port}/
http://[64:ff9b:1::7f00:1]:{port}/ http://[2002:7f00:1::]:{port}/
http://[2001:0:7f00:1::]:{port}/ http://[fe80::1%25lo]:{port}/ http://[fe80::1]:{port}/
http://[fc00::1]:{port}/ http://[fec0::1]:{port}/ http://[ff02::1]:{port}/
http://localhost:{port}/ http://LOCALHOST:{port}/ http://localhost.:{port}/
http://a.localhost:{port}/ HtTp://127.0.0.1:{port}/ http://①②⑦.⓪.⓪.①:{port}/
http://１２７.０.０.１:{port}/ http://127。0。0。1:{port}/ http://127.0.0.1:{port}#@example.org/
http://example.org@127.0.0.1:{port}/ http://example.org:80@127.0.0.1:{port}/
http://%31%32%37.0.0.1:{port}/ http://127.0.0.1%2eexample.org:{port}/
http://example.org\\@127.0.0.1:{port}/ http:\\\\127.0.0.1:{port}\\ http:///127.0.0.1:{port}/
http:127.0.0.1:{port}/ //127.0.0.1:{port}/ http://256.256.256.256:{port}/
http://127.0.0.1:0{port}/ http://ip6-localhost:{port}/ http://00000177.0.0.01:{port}/
http://127.0.0.0x1:{port}/ http://4294967296:{port}/ http://[::ffff:0:127.0.0.1]:{port}/
http://[2001:470:0:0:0:5efe:7f00:1]:{port}/ http://0x7f.0x0.0x0.0x1:{port}/
http://0x7f000001.:{port}/ http://2130706433.:{port}/ http://127.0.0.1..:{port}/
http://.127.0.0.1:{port}/ http://127.0.0.1%00.example.org:{port}/ http://①②⑦｡⓪｡⓪｡①:{port}/
http://127。0.0.1:{port}/ http://[64:ff9b::127.0.0.1]:{port}/ http://[::ffff:0177.0.0.1]:{port}/
http://[0000:0000:0000:0000:0000:ffff:7f00:0001]:{port}/ http://[::1%251]:{port}/
http://[::ffff:127.0.0.1%25lo]:{port}/ http://[2002:7f00:1::1]:{port}/ http://[::ffff:0:7f00:1]:{port}/
http://a:b@127.0.0.1:{port}/ http://@127.0.0.1:{port}/ http://127.0.0.1:{port}@example.org:{port}/
http://０ｘ７ｆ.0.0.1:{port}/ http://１２７。０。０。１:{port}/ http://0.0.0.0.:{port}/ http://00:{port}/
http://127.0.0.1;example.org:{port}/ http://[127.0.0.1]:{port}/ http://127.0.0.01:{port}/
"""
"""Numbers in octal, hexadecimal, one or two parts; forms of version 6 that carry them; names;
digits of other scripts; what stands before an @, or looks as if.
"""

INNER = (
    *PLAIN.split(),
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0\n.1:{port}/",
    "http://loc\u00adalhost:{port}/",
    "http://loca\u200blhost:{port}/",
    "http://127.0.0.1:{port}\x00/",
    " http://127.0.0.1:{port}/",
)

PUBLIC_LOOKS_INNER = (
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.19.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "192.88.99.1", "fd00:ec2::254", "2001:db8::1", "3fff::1", "100::1",
    "2001:2::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:169.254.169.254", "5f00::1",
    "::a9fe:a9fe",
)  # fmt: skip


@pytest.fixture
async def inner():
    """What must not be reached."""
    async with source() as four:
        yield four


def test_there_are_enough_spellings():
    assert len({*INNER}) == len(INNER) >= 80


async def test_no_spelling_of_an_inner_address_is_reached(inner):
    """By imports and by webhooks, and with TLS, where a webhook is refused for nothing else."""
    fetcher = Fetcher(Guard(), CALM)
    for spelling in INNER:
        plain = spelling.format(port=inner.port)
        for url in (plain, plain.replace("http:", "https:", 1)):
            with pytest.raises((AddressRefused, FetchFailed)):
                async with fetcher.get(url):
                    pass
            with pytest.raises((AddressRefused, FetchFailed)):
                await fetcher.post(url, b"{}", {}, 60)
    assert inner.connections == 0


async def test_nor_when_ports_are_no_obstacle(inner):
    """The same with an operator who allows the port of some host: the address decides."""
    allowed = read_allowed(f"media.example:{inner.port} 10.9.9.9:*")
    fetcher = Fetcher(Guard(allowed), CALM)
    for url in (f"http://127.0.0.1:{inner.port}/", f"http://localhost:{inner.port}/"):
        with pytest.raises(AddressRefused):
            async with fetcher.get(url):
                pass
    assert inner.connections == 0


@pytest.mark.parametrize("text", PUBLIC_LOOKS_INNER)
def test_special_networks_are_not_public(text):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_ones_are(text):
    assert is_public(ipaddress.ip_address(text))


async def test_a_name_with_one_inner_address_is_refused(inner):
    async def both(host, port):
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(AddressRefused):
        async with Fetcher(Guard(resolver=both), CALM).get("http://two.example.org/"):
            pass
    assert inner.connections == 0


async def test_rebinding_the_address_that_was_checked_is_the_one_that_is_used(inner):
    """The resolver answers well first and with the inner address afterwards."""
    answers = iter([["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]])
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return next(answers)

    async with source("127.0.0.2", f=file(b"good")) as good:
        inner_only = f"http://media.example.org:{good.port}/f"
        guard = Guard(read_allowed("127.0.0.2:*"), rebinding)
        async with Fetcher(guard, CALM).get(inner_only) as fetched:
            assert b"".join([c async for c in fetched.chunks]) == b"good"
        assert asked == ["media.example.org"]
        assert good.asked[0].headers["host"] == f"media.example.org:{good.port}"
        with pytest.raises(AddressRefused):
            async with Fetcher(guard, CALM).get(inner_only):
                pass
    assert inner.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
async def test_redirects_are_not_followed_and_say_where_to(inner, status):
    there = inner.url("/secret?key=hidden")
    answer = head(f"{status} Moved", Location=there, Content_Length=0)
    async with source("127.0.0.3", f=fixed(answer)) as outer:
        fetcher = Fetcher(Guard(read_allowed("127.0.0.3:*")), CALM)
        with pytest.raises(FetchFailed) as caught:
            async with fetcher.get(outer.url("/f")):
                pass
    assert "hidden" not in caught.value.message
    assert inner.url("/secret") in caught.value.message
    assert inner.connections == 0


async def test_proxies_of_the_environment_are_not_asked(inner, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, inner.url(""))
    async with source("127.0.0.3", f=file(b"direct")) as outer:
        fetcher = Fetcher(Guard(read_allowed("127.0.0.3:*")), CALM)
        async with fetcher.get(outer.url("/f")) as fetched:
            assert [c async for c in fetched.chunks] == [b"direct"]
        sent = outer.asked[0].headers
    assert inner.connections == 0
    assert {"cookie", "authorization", "referer"}.isdisjoint(sent)
    assert sent["accept-encoding"] == "identity"


async def test_what_the_operator_allows(inner):
    inner.pages["/f"] = file(b"allowed")
    for setting in ("127.0.0.1:*", f"127.0.0.0/8:{inner.port}", f"localhost:{inner.port}"):
        host = "localhost" if "localhost" in setting else "127.0.0.1"

        async def four(host, port):
            return ["127.0.0.1"]

        guard = Guard(read_allowed(setting), four)
        async with Fetcher(guard, CALM).get(f"http://{host}:{inner.port}/f") as fetched:
            assert [c async for c in fetched.chunks] == [b"allowed"]
    for setting in ("127.0.0.1", "127.0.0.1:1", "10.0.0.0/8:*", "*.localhost:*"):
        with pytest.raises(AddressRefused):
            async with Fetcher(Guard(read_allowed(setting)), CALM).get(inner.url("/f")):
                pass


def test_the_setting_is_read_strictly():
    assert read_allowed("") == ()
    assert len(read_allowed("10.0.0.0/8:8080, media.intranet,[fd00::]/8:*, fd00::/8 *.a.b:81")) == 5
    for wrong in ("10.0.0.0/40", "http://x", "a b:c", "host:70000", "10.0.0.1/8", "x_!:1"):
        with pytest.raises(ConfigurationError):
            read_allowed(wrong)


def test_addresses_are_made_plain():
    target = read_address("HTTPS://Bücher.Example.ORG.:443/ä b?x=1#frag".replace(" ", "%20"))
    assert (target.host, target.port) == ("xn--bcher-kva.example.org", 443)
    assert target.path == "/%C3%A4%20b?x=1"
    assert target.shown == "https://xn--bcher-kva.example.org/%C3%A4%20b"
    assert read_address("http://[2606:4700:0::1111]?q").authority == "[2606:4700::1111]"


async def test_slow_drips_and_silence_end(inner):
    slow = file(b"x" * 5000, pause=0.05, step=10)

    async def silent(ask, writer):
        await asyncio.sleep(600)

    async with source(slow=slow, silent=silent) as outer:
        hasty = Patience(connect=60, answer=2, read=2, window=0.3, least=1000)
        fetcher = Fetcher(Guard(read_allowed("127.0.0.1:*")), hasty)
        for path in ("/slow", "/silent"):
            with pytest.raises(SourceUnavailable):
                await whole(fetcher, outer.url(path))


async def whole(fetcher, url, *given):
    async with fetcher.get(url, *given) as fetched:
        return b"".join([chunk async for chunk in fetched.chunks])


async def test_lies_are_noticed():
    pages = {
        "short": fixed(head("200 OK", Content_Length=10) + b"12345"),
        "gzip": fixed(head("200 OK", Content_Length=5, Content_Encoding="gzip") + b"12345"),
        "range": fixed(head("206 Part", Content_Range="bytes 7-11/12") + b"12345"),
        "noise": fixed(b"\x00\x01\x02 what\r\n\r\n"),
        "header": fixed(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n"),
        "denied": fixed(head("403 No", Content_Length=0)),
        "busy": fixed(head("503 Busy", Content_Length=0, Retry_After="7")),
    }  # fmt: skip
    errors = {}
    async with source(**pages) as outer:
        fetcher = Fetcher(Guard(read_allowed("127.0.0.1:*")), CALM)
        for name in pages:
            try:
                await whole(fetcher, outer.url(f"/{name}"), 5, '"v"')
            except (FetchFailed, SourceUnavailable) as error:
                errors[name] = error
    kinds = {name: type(error) for name, error in errors.items()}
    final = dict.fromkeys(("gzip", "range", "denied"), FetchFailed)
    assert kinds == dict.fromkeys(pages, SourceUnavailable) | final
    assert errors["busy"].details["after_ms"] == 7000


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.jpg"', "a b.jpg"),
        ("attachment; filename=plain.mp4; x=y", "plain.mp4"),
        ("attachment; filename=\"x\"; filename*=UTF-8''%C3%A4.png", "ä.png"),
        ("inline", ""),
        (r'attachment; filename="q\"uote.jpg"', 'q"uote.jpg'),
    ],
)
async def test_the_name_that_the_answer_gives(header, name):
    async with source(f=file(b"x", Content_Disposition=header)) as outer:
        fetcher = Fetcher(Guard(read_allowed("127.0.0.1:*")), CALM)
        async with fetcher.get(outer.url("/f")) as fetched:
            assert (fetched.name, fetched.size, fetched.validator) == (name, 1, '"one"')


async def test_certificates_are_checked_against_the_name(tmp_path):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=a",
               "-addext", "subjectAltName=DNS:media.example.org"]  # fmt: skip
    try:
        await asyncio.to_thread(
            subprocess.run, [*map(str, command)], check=True, capture_output=True
        )
    except OSError:
        unavailable("openssl is missing")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def four(host, port):
        return ["127.0.0.1"]

    async with source(tls=serving, f=file(b"sealed")) as outer:
        guard = Guard(read_allowed("127.0.0.1:*"), four)
        good = f"https://media.example.org:{outer.port}/f"
        async with Fetcher(guard, CALM, trusting).get(good) as fetched:
            assert [c async for c in fetched.chunks] == [b"sealed"]
        for tls, host in ((trusting, "other.example.org"), (None, "media.example.org")):
            with pytest.raises(FetchFailed, match="certificate"):
                async with Fetcher(guard, CALM, tls).get(f"https://{host}:{outer.port}/f"):
                    pass


async def test_a_name_that_does_not_exist_and_one_that_cannot_be_told():
    for number, kind in ((socket.EAI_NONAME, FetchFailed), (socket.EAI_AGAIN, SourceUnavailable)):

        async def failing(host, port, number=number):
            raise socket.gaierror(number, "x")

        with pytest.raises(kind):
            async with Fetcher(Guard(resolver=failing), CALM).get("http://gone.example.org/"):
                pass


async def test_slow_look_ups_hold_up_no_other_work_and_are_bounded(monkeypatch):
    """They have threads of their own: the process's are free, and who is too many is told soon."""
    over, asked = threading.Event(), []

    def slow(host, *rest, **more):
        asked.append(host)
        over.wait(100)
        return [(0, 0, 0, "", ("93.184.215.14", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    lookups = Lookups(threads=2, patience=0.1)
    waiting, others = [], {*threading.enumerate()}
    try:
        for n in range(2):
            waiting.append(asyncio.ensure_future(lookups(f"{n}.example.org", 443)))
            while len(asked) <= n:
                await asyncio.sleep(0.005)
        with pytest.raises(SourceUnavailable, match="Too many"):
            await lookups("third.example.org", 443)
        ours = {*threading.enumerate()} - others
        names = {thread.name.partition("_")[0] for thread in ours}
        assert "lookup" in names
        assert not any(name.startswith("asyncio") for name in names), "the process's own threads"
        waiting.pop().cancel()
        with pytest.raises(SourceUnavailable, match="Too many"):  # its thread is still busy
            await lookups("fourth.example.org", 443)
    finally:
        over.set()
    lookups._patience = 60
    assert await waiting[0] == ["93.184.215.14"]
    assert await lookups("fifth.example.org", 443) == ["93.184.215.14"]
    assert asked == ["0.example.org", "1.example.org", "fifth.example.org"]
    lookups.close()

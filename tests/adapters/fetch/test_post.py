"""S16 for messages: the same guard, no redirect, an end in time, little kept of the answer."""

import asyncio
from contextlib import suppress

import pytest

from mediamill.adapters.fetch.client import Fetcher, Patience, Told
from mediamill.adapters.fetch.guard import Guard, read_allowed
from mediamill.core.errors import AddressRefused, FetchFailed, SourceUnavailable
from tests.adapters.fetch.test_guard import INNER
from tests.support.listening import listening
from tests.support.receivers import receiver, reply

BODY = b'{"some": "message"}'


@pytest.fixture
async def there():
    async with receiver() as made:
        yield made


def allowing(*entries, **more):
    return Fetcher(Guard(read_allowed(" ".join(entries or ("127.0.0.1:*",))), **more))


async def test_a_message_comes_as_it_was_sent(there):
    there.always = reply(201, b"thanks\nand more")
    told = await allowing().post(there.url("/a?b=c"), BODY, {"X-Mine": "1"}, 5)
    assert told == Told(201, "thanks")
    [got] = there.got
    assert (got.method, got.path, got.body) == ("POST", "/a?b=c", BODY)
    assert got.headers["x-mine"] == "1"
    assert got.headers["host"] == f"127.0.0.1:{there.port}"
    assert not {"cookie", "authorization", "range"} & set(got.headers)


@pytest.mark.parametrize(
    ("status", "said", "wait"),
    [(429, "7", 7_000), (503, "90000", 3_600_000), (503, "soon", 0), (500, "7", 0), (204, "7", 0)],
)
async def test_a_receiver_may_say_when_to_come_back(there, status, said, wait):
    there.always = reply(status, **{"Retry-After": said})
    assert (await allowing().post(there.url(), BODY, {}, 5)).after_ms == wait


async def test_no_spelling_of_an_inner_address_is_reached(there):
    for guard in (Guard(), Guard(read_allowed(f"media.example:{there.port} 10.9.9.9:*"))):
        fetcher = Fetcher(guard)
        for spelling in INNER:
            url = spelling.format(port=there.port)
            for each in (url, url.replace("http:", "https:", 1)):
                with pytest.raises((AddressRefused, FetchFailed)):
                    await fetcher.post(each, BODY, {}, 5)
    assert there.got == []


async def test_nor_through_a_name_that_turns(there):
    """Public as it is added, inner as it is sent: the address is looked at when it is used."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]

    async def turning(host, port):
        return answers.pop()

    fetcher = Fetcher(Guard((), turning))
    fetcher.check_post("https://turning.example.org/")
    with pytest.raises(AddressRefused):
        await fetcher.post("https://turning.example.org/", BODY, {}, 5)
    assert there.got == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(there, status):
    there.always = reply(status, Location=there.url("/inner"))
    assert (await allowing().post(there.url(), BODY, {}, 5)).status == status
    assert [got.path for got in there.got] == ["/hook"]


async def test_without_tls_only_what_is_allowed_by_name_or_number(there):
    allowing().check_post(there.url())
    allowing("inner.example").check_post("http://inner.example/")
    for url in ("http://example.org/", "http://10.1.1.1/"):
        with pytest.raises(AddressRefused):
            allowing().check_post(url)
    with pytest.raises(AddressRefused, match="https://"):
        allowing("10.0.0.0/8").check_post("http://named.example.org/")
    allowing("10.0.0.0/8").check_post("https://named.example.org/")


async def test_one_that_never_answers_is_left_in_time(there):
    async def never(got):
        await asyncio.sleep(600)
        return b""

    there.always = never
    async with asyncio.timeout(60):  # RELIABILITY: a delivery has its time, no more
        with pytest.raises(SourceUnavailable, match="in time"):
            await allowing().post(there.url(), BODY, {}, 0.3)


async def test_one_that_drips_its_answer_is_left_in_time():
    async def drip(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    async with listening(drip) as port:
        with pytest.raises(SourceUnavailable):
            await allowing().post(f"http://127.0.0.1:{port}/", BODY, {}, 0.5)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", ""),
        (b"\r\n \n", ""),
        (b"<b>\x00\x1b[31m\xff</b>\nrest", "<b>  [31m\ufffd</b>"),
        (b"x" * 5_000_000, "x" * 200),
    ],
)
async def test_one_line_of_the_answer_is_kept(there, body, line):
    there.always = reply(500, body)
    assert await allowing().post(there.url(), BODY, {}, 5) == Told(500, line)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Len", b"nonsense\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n"],
)
async def test_what_is_no_answer_may_pass(there, answer):
    there.always = answer
    with pytest.raises(SourceUnavailable):
        await allowing().post(there.url(), BODY, {}, 5)


async def test_a_status_counts_though_the_rest_is_cut(there):
    there.always = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    assert await allowing().post(there.url(), BODY, {}, 5) == Told(200, "half")


async def test_nobody_there_may_pass():
    fetcher = Fetcher(Guard(read_allowed("127.0.0.1:*")), Patience(connect=1))
    with pytest.raises(SourceUnavailable):
        await fetcher.post("http://127.0.0.1:9/", BODY, {}, 5)

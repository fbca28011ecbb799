"""What arrives as other bytes, ends early, or is answered badly is not taken for good."""

import base64
import hashlib
from contextlib import suppress
from itertools import count as counting

import pytest
from botocore.retries.standard import ExponentialBackoff
from tests.contracts.blobs_contract import collect
from tests.faults.store_proxy import StoreProxy

from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import CHUNK
from mediamill.blobs.s3 import checksums, objects, reading
from mediamill.core.errors import BrokenMedia, NotFound, Unavailable

numbers = counting()
DATA = bytes(range(256)) * 10_000
LARGE = DATA * 5
"""Three parts of `PART` bytes."""
PART = 5 << 20
MODES = [
    pytest.param((kind, mode), marks=() if mode == usual else pytest.mark.soak, id=f"{kind}-{mode}")
    for kind, usual in (("light", "sha256"), ("strict", "when_required"))
    for mode in ("sha256", "crc32", "when_required", "none")
]


@pytest.fixture(params=MODES)
def pair(request):
    """A server, and which checksums it is sent."""
    kind, mode = request.param
    return request.getfixturevalue(kind), mode


@pytest.fixture
async def faulty(pair, monkeypatch):
    """A store behind a proxy, and the proxy."""
    server, mode = pair
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
    monkeypatch.setattr(checksums, "PART", PART)
    server.client().create_bucket(Bucket="faulty")
    proxy = StoreProxy(server.port, stall=0.1)
    async with proxy.listening() as port:
        options = f"region=us-east-1&checksum={mode}&endpoint=http://127.0.0.1:{port}"
        kept = "&encryption=none" if server.kind == "radosgw" else ""
        blobs = await open_blobs(f"s3://faulty/{next(numbers)}?{options}{kept}")
        yield blobs, proxy
        await blobs.close()


async def written(blobs, data: bytes, key: str = "k") -> None:
    async with blobs.upload(key) as upload:
        await upload.write(data)
        await upload.commit()


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["whole", "parts"])
async def test_a_bit_that_is_changed_on_its_way_there_is_noticed(faulty, data):
    blobs, proxy = faulty
    proxy.faults = {"spoil_sent": 1.0}
    with pytest.raises(Unavailable):
        await written(blobs, data)
    assert proxy.done["spoil_sent"] >= objects.TRIES
    proxy.faults = {}
    assert [info async for info in blobs.list("")] == []
    proxy.faults = {"spoil_sent": 0.3}
    await written(blobs, data)
    proxy.faults = {}
    assert await blobs.get("k") == data


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["whole", "parts"])
async def test_a_bit_that_is_changed_on_its_way_here_is_noticed(faulty, data):
    blobs, proxy = faulty
    await written(blobs, data)
    proxy.faults = {"spoil": 1.0}
    received = bytearray()

    async def receive() -> None:
        async for chunk in blobs.read("k"):
            received.extend(chunk)

    with pytest.raises(BrokenMedia):
        await receive()
    assert len(received) < len(data), "the last bytes are handed out once the whole is good"
    with pytest.raises(BrokenMedia):
        await collect(blobs, "k", 0, len(data))
    proxy.faults = {"spoil": 0.3}
    assert await blobs.get("k") == data


async def test_a_refused_write_leaves_what_was_there(faulty):
    blobs, proxy = faulty
    await blobs.put("k", b"before")
    proxy.faults = {"spoil_sent": 1.0}
    with pytest.raises(Unavailable):
        await blobs.put("k", DATA)
    proxy.faults = {}
    with suppress(NotFound):  # where the server compares nothing, what it took is removed
        assert await blobs.get("k") == b"before"


async def test_a_cut_answer_is_gone_on_with(faulty):
    blobs, proxy = faulty
    await blobs.put("k", DATA)
    proxy.faults = {"cut": 0.7}
    for start, stop in ((0, None), (5, None), (CHUNK, 2 * CHUNK)):
        assert await collect(blobs, "k", start, stop) == DATA[start:stop]
    assert proxy.done["cut"]


async def test_a_reader_gives_up_in_the_end(faulty, monkeypatch):
    blobs, proxy = faulty
    await blobs.put("k", b"x")
    monkeypatch.setattr(reading, "RESUMED", 2)
    proxy.faults = {"cut": 1.0}
    with pytest.raises(Unavailable):
        await blobs.get("k")


async def test_an_object_that_is_replaced_while_it_is_resumed_is_not_mixed(faulty):
    blobs, proxy = faulty
    await blobs.put("k", LARGE)
    reader = blobs.read("k")
    proxy.faults = {"cut": 1.0}
    received = [await anext(reader)]
    proxy.faults = {}
    await blobs.put("k", bytes(len(LARGE)))

    async def receive() -> None:
        async for chunk in reader:
            received.append(chunk)  # noqa: PERF401 - what came before the error counts

    with pytest.raises((BrokenMedia, Unavailable)):
        await receive()
    assert b"".join(received) == LARGE[: len(b"".join(received))]


async def test_a_lost_answer_is_not_a_lost_write(faulty):
    blobs, proxy = faulty
    proxy.faults = {"reset": 0.4, "error": 0.2}
    for n in range(4):
        await written(blobs, LARGE if n == 3 else DATA, f"k{n}")
    for n in range(8):
        await blobs.put(f"fresh/{n}", DATA, fresh=True)
    assert proxy.done["reset"]
    proxy.faults = {}
    assert [await blobs.get(f"k{n}") for n in range(4)] == [DATA, DATA, DATA, LARGE]
    assert await blobs.sweep(1 << 50) == 0


def test_parts_have_a_checksum_of_checksums():
    part = checksums.PART
    data = LARGE * 4
    digests = [hashlib.sha256(data[at : at + part]).digest() for at in range(0, len(data), part)]
    whole = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    for count, more, expected in ((4, b"", True), (4, b"x", False), (7, b"x", True)):
        recorded = checksums.Recorded({"ChecksumSHA256": f"{whole}-{count}"}, len(data))
        for at in range(0, len(data), 999_983):
            recorded.update(data[at : at + 999_983])
        recorded.update(more)
        assert recorded.matches() is expected, (count, more)

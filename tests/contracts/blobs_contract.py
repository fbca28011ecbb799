"""What every blob store must do; a backend's test class inherits it and gives `blobs`."""

import asyncio
import hashlib
import os
import zlib
from pathlib import Path

import pytest

from mediamill.blobs.port import CHUNK, Blobs, Digest, OpensLocally, PutsTogether
from mediamill.blobs.together import adopt_together, copy_together
from mediamill.core.errors import Conflict, MediamillError, NotFound

FUTURE = 1 << 50
DATA = bytes(range(256)) * 10_000  # 2.56 MB: more than two chunks

BAD_KEYS = [
    "", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "a b", "a\\b", "ä",
    "a\0", "a\n", "\n", "a+", "a+/b", "~", "%2e%2e/a", "a/" * 300 + "a", "a" * 513, "a" * 251,
]  # fmt: skip
GOOD_KEYS = [
    "a", "a/b", "A-Z_0.9=", ".hidden", "a/.hidden/b", "...", "a..b", "..a", "-", "=/=",
    ".incoming/x", ".incoming", ".nfs01", "a/b/c/d/e/f/g", "b" * 250, "/".join(["c" * 127] * 4),
]  # fmt: skip


async def collect(blobs: Blobs, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key, start, stop)])


async def keys(blobs: Blobs, prefix: str = "", after: str = "") -> list[str]:
    return [info.key async for info in blobs.list(prefix, after)]


class BlobsContract:
    begins_elsewhere = False
    """Whether a server that is told to begin an upload does so though the client has left."""
    spare_descriptors = 0
    """How many connections a store keeps open."""
    atomic = True
    """Whether it compares and writes at a stroke."""
    page = 1_000
    """How many objects a store lists at a time."""

    async def test_put_gives_back_the_bytes_and_their_digest(self, blobs: Blobs):
        digest = await blobs.put("a/b", DATA)
        assert (digest.size, digest.crc32) == (len(DATA), zlib.crc32(DATA))
        assert digest.sha256 == hashlib.sha256(DATA).hexdigest()
        assert await blobs.get("a/b") == DATA
        info = await blobs.info("a/b")
        assert (info.key, info.size) == ("a/b", len(DATA))
        assert info.modified > 1_600_000_000_000

    async def test_what_is_put_together_is_as_if_put_one_by_one(self, blobs: Blobs):
        if not isinstance(blobs, PutsTogether):
            pytest.skip("it is a capability")
        some = [(f"to/{n % 3}/{n}", b"%d" % n * n) for n in range(20)]
        digests = await blobs.put_all([*some, ("to/other", DATA)])
        assert [digest.size for digest in digests[:-1]] == [len(data) for _, data in some]
        assert digests[-1].sha256 == hashlib.sha256(DATA).hexdigest()
        assert digests[-1].crc32 == zlib.crc32(DATA)
        assert [await blobs.get(key) for key, _ in some] == [data for _, data in some]
        assert await blobs.put_all([]) == []
        await blobs.put_all([("to/other", b"new")])
        assert await blobs.get("to/other") == b"new"
        with pytest.raises(ValueError, match="key"):
            await blobs.put_all([("to/fine", b""), ("../bad", b"")])

    async def test_what_moves_together_is_as_if_moved_one_by_one(
        self, blobs: Blobs, tmp_path: Path
    ):
        files = []
        for n in range(11):
            files.append((f"made/{n % 3}/{n}", tmp_path / f"output-{n}"))
            files[-1][1].write_bytes(b"%d" % n * n)
        await adopt_together(blobs, files)
        assert [await blobs.get(key) for key, _ in files] == [b"%d" % n * n for n in range(11)]
        assert not any(path.exists() for _, path in files)
        await copy_together(blobs, [(key, f"second/{key}") for key, _ in files])
        await copy_together(blobs, [(key, f"second/{key}") for key, _ in files])
        for n, (key, _) in enumerate(files):
            await blobs.delete(key)
            assert await blobs.get(f"second/{key}") == b"%d" % n * n
        with pytest.raises(NotFound):
            await copy_together(blobs, [("second/made/0/0", "third"), ("made/0/0", "fourth")])
        await adopt_together(blobs, [])
        await copy_together(blobs, [])

    async def test_upload_takes_pieces_of_any_size_and_kind(self, blobs: Blobs):
        async with blobs.upload("k") as upload:
            await upload.write(b"")
            await upload.write(DATA[:1])
            await upload.write(bytearray(DATA[1:3]))
            await upload.write(memoryview(DATA)[3 : CHUNK + 7])
            assert upload.size == CHUNK + 7
            for offset in range(CHUNK + 7, len(DATA), 10_007):
                await upload.write(DATA[offset : offset + 10_007])
            digest = await upload.commit()
        assert digest.size == upload.size == len(DATA)
        assert digest.sha256 == hashlib.sha256(DATA).hexdigest()
        assert await blobs.get("k") == DATA

    async def test_a_buffer_may_be_reused_after_write(self, blobs: Blobs):
        buffer = bytearray(b"x" * CHUNK)
        async with blobs.upload("k") as upload:
            await upload.write(buffer)
            buffer[:] = b"y" * CHUNK
            await upload.write(buffer)
            await upload.commit()
        assert await blobs.get("k") == b"x" * CHUNK + b"y" * CHUNK

    async def test_a_copy_lives_and_dies_apart(self, blobs: Blobs):
        await blobs.put("a", DATA)
        await blobs.copy("a", "b/c")
        assert await blobs.get("b/c") == DATA
        assert (await blobs.info("b/c")).size == len(DATA)
        await blobs.delete("a")
        assert await collect(blobs, "b/c", 5, CHUNK + 5) == DATA[5 : CHUNK + 5]
        await blobs.copy("b/c", "a")
        await blobs.put("b/c", b"another")
        assert await blobs.get("a") == DATA
        assert await keys(blobs) == ["a", "b/c"]

    async def test_a_copy_replaces_what_has_its_key(self, blobs: Blobs):
        await blobs.put("a", DATA)
        await blobs.put("b", b"old")
        for _ in range(2):  # again is harmless
            await blobs.copy("a", "b")
        assert await blobs.get("b") == DATA
        await blobs.copy("a", "a")
        assert await blobs.get("a") == DATA
        assert await keys(blobs) == ["a", "b"]

    async def test_there_is_no_copy_of_nothing(self, blobs: Blobs):
        with pytest.raises(NotFound):
            await blobs.copy("none", "b")
        assert await keys(blobs) == []
        for bad in ("", "../a"):
            with pytest.raises(ValueError, match="key"):
                await blobs.copy(bad, "b")
            await blobs.put("a", b"x")
            with pytest.raises(ValueError, match="key"):
                await blobs.copy("a", bad)

    async def test_empty_object(self, blobs: Blobs):
        async with blobs.upload("empty") as upload:
            digest = await upload.commit()
        assert (digest.size, digest.crc32) == (0, 0)
        assert await blobs.get("empty") == b""
        assert await collect(blobs, "empty") == b""
        assert (await blobs.info("empty")).size == 0

    async def test_nothing_is_seen_before_commit(self, blobs: Blobs):
        async with blobs.upload("k") as upload:
            await upload.write(DATA)
            assert await keys(blobs) == []
        assert await keys(blobs) == []

    async def test_an_upload_is_over_after_commit(self, blobs: Blobs):
        async with blobs.upload("k") as upload:
            await upload.commit()
            with pytest.raises(ValueError, match="ended"):
                await upload.write(b"x")
            with pytest.raises(ValueError, match="ended"):
                await upload.commit()
        with pytest.raises(ValueError, match="ended"):
            await upload.write(b"x")
        assert await keys(blobs) == ["k"]

    async def test_an_error_in_the_block_discards(self, blobs: Blobs):
        async def interrupted() -> None:
            async with blobs.upload("k") as upload:
                await upload.write(DATA)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await interrupted()
        assert await keys(blobs) == []
        assert await blobs.sweep(FUTURE) == 0

    async def test_cancelled_in_mid_upload_leaves_nothing(self, blobs: Blobs):
        async def endless() -> None:
            async with blobs.upload("k") as upload:
                while True:
                    await upload.write(b"x" * CHUNK)
                    await asyncio.sleep(0)

        descriptors = len(os.listdir("/proc/self/fd"))
        for delay in (0, 0.001, 0.003, 0.01, 0.02):
            task = asyncio.create_task(endless())
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await keys(blobs) == []
        left = await blobs.sweep(FUTURE)  # a server may have begun what nobody waited for
        assert not left or self.begins_elsewhere
        assert await blobs.sweep(FUTURE) == 0
        assert len(os.listdir("/proc/self/fd")) <= descriptors + self.spare_descriptors

    async def test_cancelled_commit_is_whole_or_nothing(self, blobs: Blobs):
        async def once(key: str) -> None:
            async with blobs.upload(key) as upload:
                await upload.write(DATA)
                await upload.commit()

        for number in range(20):
            task = asyncio.create_task(once(f"k{number}"))
            await asyncio.sleep(number * 0.0005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for key in await keys(blobs):
            assert await blobs.get(key) == DATA
        assert await blobs.sweep(FUTURE) == 0

    async def test_concurrent_writers_of_a_key_leave_one_of_them_whole(self, blobs: Blobs):
        async def write(letter: bytes) -> None:
            async with blobs.upload("same/key") as upload:
                for _ in range(3):
                    await upload.write(letter * CHUNK)
                await upload.commit()

        await asyncio.gather(*(write(bytes([65 + number])) for number in range(8)))
        data = await blobs.get("same/key")
        assert len(data) == 3 * CHUNK
        assert len(set(data)) == 1

    async def test_replacing_an_object_leaves_its_readers_alone(self, blobs: Blobs):
        await blobs.put("k", b"a" * (2 * CHUNK))
        reader = blobs.read("k")
        first = await anext(reader)
        await blobs.put("k", b"b")
        assert first + b"".join([chunk async for chunk in reader]) == b"a" * (2 * CHUNK)
        assert await blobs.get("k") == b"b"

    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, None), (0, 1), (5, 5), (9, 4), (1, CHUNK + 1), (CHUNK, None), (len(DATA) - 1, None),
         (len(DATA), None), (len(DATA) + 5, None), (0, len(DATA) + 5), (7, 1 << 60), (0, 0)],
    )  # fmt: skip
    async def test_ranges(self, blobs: Blobs, start: int, stop: int | None):
        await blobs.put("k", DATA)
        chunks = [chunk async for chunk in blobs.read("k", start, stop)]
        assert b"".join(chunks) == DATA[start:stop]
        assert all(0 < len(chunk) <= CHUNK for chunk in chunks)

    async def test_a_range_does_not_count_from_the_end(self, blobs: Blobs):
        await blobs.put("k", DATA)
        for start, stop in ((-1, None), (0, -1)):
            with pytest.raises(ValueError, match="range"):
                await collect(blobs, "k", start, stop)

    async def test_what_is_not_there(self, blobs: Blobs):
        await blobs.put("a/b", b"x")
        for key in ("b", "a", "a/b/c", "a/bb"):
            for attempt in (blobs.get(key), blobs.info(key), collect(blobs, key, 0, 0)):
                with pytest.raises(NotFound):
                    await attempt
            await blobs.delete(key)
        assert await keys(blobs) == ["a/b"]

    async def test_a_fresh_key_has_no_object(self, blobs: Blobs):
        await blobs.put("a", b"one", fresh=True)
        with pytest.raises(Conflict):
            await blobs.put("a", b"two", fresh=True)
        assert await blobs.get("a") == b"one"
        await blobs.put("a", b"three")
        await blobs.delete("a")
        await blobs.put("a", b"four", fresh=True)
        assert await blobs.get("a") == b"four"
        assert await blobs.sweep(FUTURE) == 0

    async def test_one_of_many_has_a_fresh_key(self, blobs: Blobs):
        if not self.atomic:
            pytest.xfail("this store looks first and writes then")
        for key in ("a/1", "a/2", "a/3"):
            writes = [blobs.put(key, b"%d" % n, fresh=True) for n in range(8)]
            told = await asyncio.gather(*writes, return_exceptions=True)
            mine = [n for n, one in enumerate(told) if not isinstance(one, Exception)]
            assert len(mine) == 1
            assert all(isinstance(one, Conflict | Digest) for one in told)
            assert await blobs.get(key) == b"%d" % mine[0]

    async def test_delete(self, blobs: Blobs):
        await blobs.put("a/b", b"x")
        await blobs.delete("a/b")
        await blobs.delete("a/b")
        assert await keys(blobs) == []
        await blobs.put("a/b", b"y")
        assert await blobs.get("a/b") == b"y"

    async def test_good_keys_do_not_collide(self, blobs: Blobs):
        for key in GOOD_KEYS:
            await blobs.put(key, key.encode())
        for key in GOOD_KEYS:
            assert await blobs.get(key) == key.encode()
        assert await keys(blobs) == sorted(GOOD_KEYS)

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_bad_keys_reach_nothing(self, blobs: Blobs, tmp_path, key: str):
        secret = tmp_path / "a"
        secret.write_bytes(b"secret")
        attempts = [
            lambda: blobs.put(key, b"x"),
            lambda: blobs.adopt(key, secret),
            lambda: blobs.info(key),
            lambda: blobs.get(key),
            lambda: collect(blobs, key),
            lambda: blobs.delete(key),
        ]
        if isinstance(blobs, OpensLocally):
            attempts.append(lambda: blobs.open_descriptor(key))
        for attempt in attempts:
            with pytest.raises(ValueError, match="key"):
                await attempt()
        with pytest.raises(ValueError, match="key"):
            blobs.upload(key)
        await blobs.put("good", b"x")
        assert secret.read_bytes() == b"secret"
        assert await keys(blobs) == ["good"]

    @pytest.mark.parametrize("prefix", ["..", "/", "../", "a//", "a/../b", "*", "a b"])
    async def test_bad_prefixes(self, blobs: Blobs, prefix: str):
        if prefix == "..":  # the beginning of `...`, a key
            assert await keys(blobs, prefix) == []
            return
        with pytest.raises(ValueError, match="prefix"):
            await keys(blobs, prefix)

    async def test_list_is_in_key_order_and_pages(self, blobs: Blobs):
        names = ["a", "a-", "a.b", "a/", "a0", "b/c/d", "b/c-d", "b/cc", "Z", "a_/x", "a=/y"]
        expected = sorted(f"{name}{number:03d}" for name in names for number in range(0, 700, 70))
        for key in reversed(expected):
            await blobs.put(key, b"")
        assert await keys(blobs) == expected
        for prefix in ("a", "a/", "a0", "b/c", "b/c/", "b/c/d0", "zz", "b/c/d/e", "a_"):
            matching = [key for key in expected if key.startswith(prefix)]
            assert await keys(blobs, prefix) == matching
            for after in (*matching[::3], "a/2", "b/", "~"):
                assert await keys(blobs, prefix, after) == [key for key in matching if key > after]

    async def test_list_of_more_than_a_page(self, blobs: Blobs):
        expected = [f"many/{number:05d}" for number in range(self.page + self.page // 5 + 3)]
        for key in expected:
            await blobs.put(key, b"")
        assert await keys(blobs, "many/") == expected

    async def test_adopt_moves_a_file(self, blobs: Blobs, tmp_path):
        path = tmp_path / "output-1"
        path.write_bytes(DATA)
        await blobs.adopt("r/1", path)
        assert not path.exists()
        assert await blobs.get("r/1") == DATA
        with pytest.raises(NotFound):
            await blobs.adopt("r/2", path)
        assert await keys(blobs) == ["r/1"]

    async def test_sweep_discards_what_was_begun_before(self, blobs: Blobs):
        async with blobs.upload("late") as upload:
            await upload.write(DATA)
            assert await blobs.sweep(0) == 0
            assert await blobs.sweep(FUTURE) == 1
            with pytest.raises(MediamillError):
                await upload.commit()
        assert await keys(blobs) == []
        await blobs.put("k", b"x")
        assert await blobs.sweep(FUTURE) == 0
        assert await blobs.get("k") == b"x"

    async def test_room_is_told_or_unbounded(self, blobs: Blobs):
        room = await blobs.free_bytes()
        assert room is None or room >= 0

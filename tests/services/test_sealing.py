"""Keys that turn while secrets are written: nothing is lost, nothing stays under the former."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from tests.support.places import EACH_STORE

from mediamill.adapters.sealing.keyring import Key
from mediamill.adapters.sealing.opening import open_sealer
from mediamill.cli.root import root
from mediamill.core.records import Index, Record
from mediamill.core.records import Key as RecordKey
from mediamill.core.sealing import about, key_of
from mediamill.core.settings import Settings
from mediamill.services.sealing import Sealing
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.sealing import NotingSealer, Sealings, sealed_index
from mediamill.store.repositories.webhooks import Webhook
from mediamill.store.schema import all_kinds

OWNER, COUNT = "user_1", 110


class Kept:
    """Webhooks with secrets, as a server writes them."""

    def __init__(self, store, home) -> None:
        self.store = store
        self.sealer = NotingSealer(open_sealer("local:", home), store)
        self.secrets: dict[str, str] = {}

    async def add(self, name: str, secret: str) -> None:
        sealed = await self.sealer.seal(secret, about(Webhook, "secret", OWNER, name))
        row = Webhook(
            owner=OWNER, id=name, url="https://hooks.example", types=("*",), secret=sealed,
            sealed_by=key_of(sealed), created=1, changed=1,
        )  # fmt: skip
        await self.store.transact(Put(row))
        self.secrets[name] = secret

    async def check(self) -> set[str]:
        """Open all that was kept; return the keys that it is under."""
        keys = set()
        for name, secret in self.secrets.items():
            row = await self.store.get(Webhook, OWNER, name)
            opened = await self.sealer.open(row.secret, about(Webhook, "secret", OWNER, name))
            assert opened == secret
            assert row.sealed_by == key_of(row.secret)
            keys.add(row.sealed_by)
        return keys


@pytest.fixture
async def kept(tmp_path, monkeypatch, place):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    store = await open_store(Settings().store_url)
    yield Kept(store, tmp_path)
    await store.close()


async def told(*words: str) -> tuple[int, str]:
    """Give a command; return its exit code and what it says."""
    result = await asyncio.to_thread(CliRunner().invoke, root, ["secrets", *words])
    return result.exit_code, result.output + (repr(result.exception) if result.exception else "")


async def status(*words: str) -> dict[str, int]:
    code, text = await told("status", "--json", *words)
    assert code == 0, text
    return {use["key"]: use["records"] for use in json.loads(text)}


@pytest.mark.places(*EACH_STORE)
async def test_keys_turn_while_secrets_are_written(kept):
    for n in range(0, COUNT, 20):
        await asyncio.gather(
            *(kept.add(f"hook_{m:04}", f"secret {m}") for m in range(n, min(n + 20, COUNT)))
        )
    (first,) = await kept.check()
    assert await status() == {first: COUNT}
    assert "seals now" in (await told("retire", first))[1]
    over = asyncio.Event()

    async def write() -> None:
        n = 0
        while not over.is_set():
            await kept.add(f"hook_{n % (COUNT + 20):04}", f"newer secret {n}")
            await asyncio.sleep(0)
            n += 1

    writing = asyncio.create_task(write())
    code, text = await told("rotate")
    over.set()
    await writing
    assert code == 0, text
    code, text = await told("reseal")
    assert code == 0, text
    (second,) = await kept.check()
    assert second != first
    assert await status() == {second: len(kept.secrets)}
    assert await status("--all") == {second: len(kept.secrets), first: 0}
    assert "within the last hour" in (await told("retire", first))[1]
    code, text = await told("retire", first, "--now")
    assert code == 0, text
    assert await status() == {second: len(kept.secrets)}
    assert await kept.check() == {second}
    assert (await told("reseal"))[1] == "0 records were sealed anew.\n"


async def test_what_does_not_open_is_named_and_left(kept, tmp_path):
    await kept.add("hook_a", "a")
    await kept.add("hook_b", "b")
    row = await kept.store.get(Webhook, OWNER, "hook_b")
    await kept.store.transact(Put(row.evolve(id="hook_c")))  # it belongs elsewhere
    code, text = await told("rotate")
    assert code == 1, text
    assert "2 records were sealed anew" in text
    assert "webhooks/user_1/hook_c does not open" in text
    former = row.sealed_by
    assert (await kept.store.get(Webhook, OWNER, "hook_c")).sealed_by == former
    code, text = await told("retire", former, "--now")
    assert code != 0
    assert "1 records are under" in text
    assert await kept.check() == {await kept.sealer.key()}


async def test_a_key_is_added_before_it_seals(kept, tmp_path):
    await kept.add("hook_a", "a")
    (first,) = await kept.check()
    code, text = await told("key", "--add")
    assert code == 0, text
    waiting = text.split()[0]
    assert await kept.sealer.key() == first
    assert (await told("rotate"))[0] == 0
    assert await kept.check() == {waiting}


async def test_keys_that_are_given(kept, monkeypatch, tmp_path):
    code, first = await told("key")
    assert code == 0
    second = str(Key.make())
    (tmp_path / "ring").write_text(first)
    monkeypatch.setenv("MEDIAMILL_SEALING_URL", f"local:${{file:{tmp_path}/ring}}")
    kept.sealer = NotingSealer(open_sealer(f"local:{first}", tmp_path), kept.store)
    await kept.add("hook_a", "a")
    for word in (["rotate"], ["key", "--add"]):
        code, text = await told(*word)
        assert code != 0
        assert "docs/how-to/secrets.md" in text
    (tmp_path / "ring").write_text(f"{second}\n{first}")
    assert (await told("reseal"))[1] == "1 records were sealed anew.\n"
    kept.sealer = NotingSealer(open_sealer(f"local:{second}", tmp_path), kept.store)
    assert await kept.check() == {f"local:{second.split(':', maxsplit=1)[0]}"}
    for text in (first, second):
        assert text.split(":")[1] not in (await told("status"))[1]
    former = f"local:{first.split(':')[0]}"
    assert "within the last hour" in (await told("retire", former))[1]
    assert "Remove it where it is kept" in (await told("retire", former, "--now"))[1]


async def test_what_a_server_seals_under_a_retired_key_is_found(kept, monkeypatch, tmp_path):
    """A server has the former setting until it starts again, and noted that key long ago."""
    first, second = Key.make(), Key.make()
    monkeypatch.setenv("MEDIAMILL_SEALING_URL", f"local:{second},{first}")
    kept.sealer = NotingSealer(open_sealer(f"local:{first},{second}", tmp_path), kept.store)
    await kept.add("hook_a", "a")
    former = f"local:{first.id}"
    assert "records are under" in (await told("retire", former, "--now"))[1]
    assert (await told("reseal"))[1] == "1 records were sealed anew.\n"
    assert (await told("retire", former, "--now"))[0] == 0
    await kept.add("hook_b", "b")
    assert await status() == {f"local:{second.id}": 1, former: 1}
    assert (await told("reseal"))[1] == "1 records were sealed anew.\n"
    assert await kept.check() == {f"local:{second.id}"}


async def test_when_a_key_ceased_must_be_known(kept, monkeypatch, tmp_path):
    first, second = Key.make(), Key.make()
    kept.sealer = NotingSealer(open_sealer(f"local:{first}", tmp_path), kept.store)
    await kept.sealer.seal("x", "y")
    monkeypatch.setenv("MEDIAMILL_SEALING_URL", f"local:{second},{first}")
    code, text = await told("retire", f"local:{first.id}")
    assert code != 0
    assert "reseal" in text


async def test_no_key_is_made_for_a_reference_that_is_empty(kept, monkeypatch, tmp_path):
    (tmp_path / "ring").touch()
    monkeypatch.setenv("MEDIAMILL_SEALING_URL", f"local:${{file:{tmp_path}/ring}}")
    for words in (["rotate"], ["key", "--add"], ["status"]):
        code, text = await told(*words)
        assert code != 0
        assert "MEDIAMILL_SEALING_URL" in text
    assert not (tmp_path / "keyring").exists()


async def test_a_write_meanwhile_is_not_undone(kept):
    await kept.add("hook_a", "a")
    row = await kept.store.get(Webhook, OWNER, "hook_a")
    await kept.add("hook_a", "newer")
    assert not await Sealings(kept.store, all_kinds()).reseal(row, kept.sealer)
    await kept.check()


async def test_a_key_is_noted_before_what_it_sealed(kept):
    sealings = Sealings(kept.store, all_kinds())
    assert await sealings.keys() == ()
    sealed = await kept.sealer.seal("x", "y")
    assert [key.id for key in await sealings.keys()] == [key_of(sealed)]
    (use,) = await Sealing(sealings, kept.sealer).status()
    assert (use.records, use.seals) == (0, True)


def test_every_record_with_sealed_fields_is_listed_by_its_key():
    sealed = [kind for kind in all_kinds() if kind.sealed]
    assert Webhook in sealed
    for kind in sealed:
        sealed_index(kind)
        assert {*kind.sealed, "sealed_by"} <= set(kind.__struct_fields__)


def test_a_record_that_is_not_is_noticed():
    class Odd(Record, frozen=True, kw_only=True):
        key = RecordKey("id")
        indexes = (Index("odd", partition=("id",), sort=("sealed_by",)),)
        sealed = ("secret",)
        id: str
        secret: str
        sealed_by: str

        table = "odd"

    with pytest.raises(ValueError, match="odd"):
        sealed_index(Odd)

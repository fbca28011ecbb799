"""Sealing: what comes back, what does not open, and keys that come and go."""

import asyncio
import os
import re
import subprocess
import sys
import time

import pytest
import structlog

from mediamill.adapters.sealing import kms
from mediamill.adapters.sealing.envelope import LONGEST, read, written
from mediamill.adapters.sealing.keyring import Key, KeyringFile, added, turned, without
from mediamill.adapters.sealing.opening import open_holders, open_sealer
from mediamill.core.errors import ConfigurationError, Unavailable, Unsealable
from mediamill.core.sealing import key_of
from tests.support.gates import gate_to
from tests.support.secrets import judge, place

TEXT, ABOUT = "whsec_ä secret – of “somebody”", "webhooks/user_1/hook_1/secret"


@pytest.fixture
def kms_url(aws):
    """A key of its own, and the address of it."""
    key = judge(aws, "kms").create_key(Description="a test")["KeyMetadata"]["KeyId"]
    return f"kms://{key}?{place(aws)}"


@pytest.fixture(params=["local", "kms"])
async def sealer(request, tmp_path):
    url = request.getfixturevalue("kms_url") if request.param == "kms" else "local:"
    sealer = open_sealer(url, tmp_path)
    yield sealer
    await sealer.close()


async def test_what_was_sealed_is_opened(sealer):
    for text in ("", TEXT, "x" * LONGEST):
        sealed = await sealer.seal(text, ABOUT)
        assert await sealer.open(sealed, ABOUT) == text
        assert key_of(sealed) == await sealer.key()
        assert sealed.isascii()
        if text:
            assert text not in sealed
    assert await sealer.seal(TEXT, ABOUT) != await sealer.seal(TEXT, ABOUT)
    with pytest.raises(ValueError, match="characters"):
        await sealer.seal("x" * (LONGEST + 1), ABOUT)


async def test_it_opens_nowhere_else(sealer):
    sealed = await sealer.seal(TEXT, ABOUT)
    for other in ("webhooks/user_1/hook_2/secret", "", ABOUT + "/", ABOUT.upper()):
        with pytest.raises(Unsealable, match="moved from elsewhere"):
            await sealer.open(sealed, other)


async def test_what_was_changed_does_not_open(sealer):
    sealed = await sealer.seal(TEXT, ABOUT)
    version, key, wrapped, box = sealed.split("$")
    changed = []
    for at, part in ((2, wrapped), (3, box)):
        data = read(part)
        others = [data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :] for n in range(0, len(data), 3)]
        for other in (*map(written, others), "", "AAAA", f"{part}=", f"{part}!"):
            parts = [version, key, wrapped, box]
            parts[at] = other
            changed.append(parts)
    changed += [["mm2", key, wrapped, box], [version, key, wrapped], [TEXT]]
    changed += [[version, key, wrapped, box, ""], [version, key + "0", wrapped, box]]
    changed += [[version, "other:1", wrapped, box]]
    for parts in changed:
        with pytest.raises(Unsealable):
            await sealer.open("$".join(parts), ABOUT)
    assert len(changed) > len(TEXT)
    assert await sealer.open(sealed, ABOUT) == TEXT


async def test_no_text_of_it_shows_a_key(tmp_path):
    sealer = open_sealer("local:", tmp_path)
    await sealer.seal(TEXT, ABOUT)
    (holder,) = open_holders("local:", tmp_path)
    secret = str(holder.keys()[0]).split(":")[1]
    assert secret in (tmp_path / "keyring").read_text()
    for thing in (sealer, holder, holder._file, holder.keys(), holder.keys()[0], vars(sealer)):
        assert secret not in repr(thing)
        assert repr(holder.keys()[0].secret) not in repr(thing)


# -- keyrings -------------------------------------------------------------------------------------


async def test_a_keyring_is_made_once_and_is_for_its_owner_only(tmp_path):
    files = [KeyringFile(tmp_path / "keyring") for _ in range(8)]
    rings = await asyncio.gather(*(asyncio.to_thread(file.keys) for file in files))
    assert len(set(rings)) == 1
    assert (tmp_path / "keyring").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"keyring", ".keyring.lock"}


async def test_all_keys_open_and_the_first_seals(tmp_path):
    sealer, file = open_sealer("local:", tmp_path), KeyringFile(tmp_path / "keyring")
    old = await sealer.seal(TEXT, ABOUT)
    file.change(added)
    assert key_of(await sealer.seal(TEXT, ABOUT)) == key_of(old)
    waiting = file.keys()[1].id
    file.change(turned)
    new = await sealer.seal(TEXT, ABOUT)
    assert key_of(new) == f"local:{waiting}" != key_of(old)
    assert await sealer.open(old, ABOUT) == await sealer.open(new, ABOUT) == TEXT
    former = file.keys()[1]
    assert abs(former.until - time.time() * 1000) < 60_000
    file.change(lambda keys: without(keys, former.id))
    with pytest.raises(Unsealable, match=re.escape(key_of(old))):
        await sealer.open(old, ABOUT)
    assert await sealer.open(new, ABOUT) == TEXT
    file.change(turned)  # none waits: a new one is made
    assert key_of(await sealer.seal(TEXT, ABOUT)) not in (key_of(old), key_of(new))


async def test_another_key_of_the_same_name_opens_nothing(tmp_path):
    sealer = open_sealer("local:", tmp_path)
    sealed = await sealer.seal(TEXT, ABOUT)
    name = key_of(sealed).removeprefix("local:")
    stranger = open_sealer(f"local:{name}:{str(Key.make()).split(':')[1]}", tmp_path)
    with pytest.raises(Unsealable, match="another one"):
        await stranger.open(sealed, ABOUT)


async def test_a_keyring_in_the_setting(tmp_path):
    first, second = Key.make(), Key.make()
    both = open_sealer(f"local:{first},{second}", tmp_path)
    turned_round = open_sealer(f"local:{second}%2C{first}", tmp_path)
    for sealer, key in ((both, first), (turned_round, second)):
        sealed = await sealer.seal(TEXT, ABOUT)
        assert key_of(sealed) == f"local:{key.id}"
        assert await both.open(sealed, ABOUT) == await turned_round.open(sealed, ABOUT) == TEXT
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "said",
    ["vault:SECRET", "SECRET", "local:SECRET", "local:id:SECRET", "local:a:SECRET:x", "kms:",
     "kms://SECRET@alias/x?region=a", "kms://alias/x?region=a&colour=SECRET",
     "kms://alias/x?region=a&endpoint=http://kms.example", "kms://alias/x"],
)  # fmt: skip
def test_what_is_no_address_of_keys(said, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="MEDIAMILL_SEALING_URL") as refused:
        open_holders(said, tmp_path)
    assert "SECRET" not in refused.value.message


def test_a_keyring_that_cannot_be_kept(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be kept"):
        KeyringFile(tmp_path / "file" / "keyring").keys()
    (tmp_path / "keyring").write_text("nonsense")
    with pytest.raises(ConfigurationError, match="no keyring"):
        KeyringFile(tmp_path / "keyring").keys()


class Elsewhere:
    """A setting that is kept elsewhere."""

    setting = "MEDIAMILL_SEALING_URL"

    def __init__(self, text):
        self.text, self.newer, self.asked = text, text, 0

    async def current(self):
        return self.text

    async def renewed(self):
        self.asked += 1
        self.text = self.newer
        return self.text


@pytest.mark.parametrize("said", ["", "local:", " \n", "local: kms://alias/x?region=a"])
async def test_a_reference_to_nothing_is_not_the_keyring_of_the_home(tmp_path, said):
    with pytest.raises(ConfigurationError, match="empty"):
        await open_sealer(Elsewhere(said), tmp_path).key()
    here = Elsewhere(f"local:{Key.make()}")
    sealer = open_sealer(here, tmp_path)
    key = await sealer.key()
    here.text = here.newer = said
    assert key_of(await sealer.seal(TEXT, ABOUT)) == key
    assert not list(tmp_path.iterdir())


async def test_the_last_keys_that_were_right_seal(tmp_path):
    here = Elsewhere(f"local:{Key.make()}")
    sealer = open_sealer(here, tmp_path)
    sealed = await sealer.seal(TEXT, ABOUT)
    with structlog.testing.capture_logs() as logs:
        for here.text in ("local:SECRET", "SECRET", "kms:", "local:SECRET"):
            assert await sealer.open(sealed, ABOUT) == TEXT
            assert key_of(await sealer.seal(TEXT, ABOUT)) == key_of(sealed)
    assert {line["action"] for line in logs} == {"setting_broken"}
    assert "SECRET" not in str(logs)
    fresh = Key.make()
    here.text = f"local:{fresh}"
    assert await sealer.key() == f"local:{fresh.id}"


async def test_a_keyring_elsewhere_is_not_made_by_itself(tmp_path):
    """What it lies on may not be there yet; another keyring in its place opens nothing."""
    url = f"local:{tmp_path}/ring"
    sealer, (holder,) = open_sealer(url, tmp_path), open_holders(url, tmp_path)
    for act in (holder.turn, holder.keys, lambda: holder.drop("local:x")):
        with pytest.raises(ConfigurationError, match="secrets key --add"):
            act()
    with pytest.raises(ConfigurationError, match=re.escape(f"{tmp_path}/ring is not there")):
        await sealer.seal(TEXT, ABOUT)
    assert not list(tmp_path.iterdir())
    holder.add()
    assert await sealer.open(await sealer.seal(TEXT, ABOUT), ABOUT) == TEXT


async def test_another_server_that_has_a_newer_key_is_understood(tmp_path):
    """A setting that is kept elsewhere is looked up anew when a key is missing."""
    first, second = Key.make(), Key.make()
    here = Elsewhere(f"local:{first}")
    sealer = open_sealer(here, tmp_path)
    await sealer.seal(TEXT, ABOUT)
    here.newer = f"local:{second},{first}"
    sealed = await open_sealer(here.newer, tmp_path).seal(TEXT, ABOUT)
    assert await sealer.open(sealed, ABOUT) == TEXT
    assert here.asked == 1


OTHER = """
import asyncio, pathlib, sys
from mediamill.adapters.sealing.opening import open_sealer
async def main():
    sealer = open_sealer("local:", pathlib.Path(sys.argv[1]))
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        done = await (sealer.seal if word == "seal" else sealer.open)(rest, "about")
        print(done, flush=True)
asyncio.run(main())
"""


async def test_two_processes_share_a_home_while_keys_turn(tmp_path):
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    other = subprocess.Popen(  # noqa: ASYNC220 - it starts while nothing else happens
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    sealer, file = open_sealer("local:", tmp_path), KeyringFile(tmp_path / "keyring")

    def asked(what):
        other.stdin.write(f"{what}\n")
        other.stdin.flush()
        return other.stdout.readline().strip()

    try:
        kept = []
        for n in range(5):
            kept += [await sealer.seal(f"ours {n}", "about"), asked(f"seal theirs {n}")]
            assert key_of(kept[-1]) == key_of(kept[-2]) == await sealer.key()
            file.change(turned)
        assert len({key_of(sealed) for sealed in kept}) == 5
        for n, sealed in enumerate(kept):
            text = f"{'theirs' if n % 2 else 'ours'} {n // 2}"
            assert await sealer.open(sealed, "about") == asked(f"open {sealed}") == text
    finally:
        other.stdin.close()
        assert other.wait(60) == 0
        other.stdout.close()


# -- KMS ------------------------------------------------------------------------------------------


async def test_kms_is_asked_seldom(aws, kms_url, tmp_path, monkeypatch):
    async with gate_to(aws.port) as gate:
        sealer = open_sealer(kms_url.replace(str(aws.port), str(gate.port)), tmp_path)
        sealed = [await sealer.seal(f"{n}", ABOUT) for n in range(50)]
        assert len({text.split("$")[2] for text in sealed}) == 1
        fresh = open_sealer(kms_url.replace(str(aws.port), str(gate.port)), tmp_path)
        await fresh.open(sealed[0], ABOUT)
        gate.close()
        assert [await fresh.open(text, ABOUT) for text in sealed] == [f"{n}" for n in range(50)]
        await sealer.seal("still", ABOUT)
        monkeypatch.setattr(kms, "HELD_SECONDS", 0.0)
        monkeypatch.setattr(kms, "SECONDS", 0.5)
        for act in (sealer.seal("no more", ABOUT), fresh.open(sealed[0], ABOUT)):
            with pytest.raises(Unavailable, match="KMS"):
                await act
        await sealer.close()
        await fresh.close()


async def test_credentials_may_come_later(kms_url, tmp_path, monkeypatch):
    """Where they come from may be away for a moment; nobody starts the service again for that."""
    sealer = open_sealer(kms_url, tmp_path)
    with monkeypatch.context() as without:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            without.delenv(name, raising=False)
        without.setenv("AWS_EC2_METADATA_DISABLED", "true")
        without.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        with pytest.raises(Unavailable, match="credentials"):
            await sealer.seal(TEXT, ABOUT)
    assert await sealer.open(await sealer.seal(TEXT, ABOUT), ABOUT) == TEXT
    await sealer.close()


async def test_a_data_key_seals_so_many_texts(kms_url, tmp_path, monkeypatch):
    monkeypatch.setattr(kms, "MOST_TEXTS", 3)
    sealer = open_sealer(kms_url, tmp_path)
    sealed = [await sealer.seal("x", ABOUT) for _ in range(7)]
    assert len({text.split("$")[2] for text in sealed}) == 3
    await sealer.close()


async def test_an_alias_that_leads_to_another_key(aws, tmp_path):
    client = judge(aws, "kms")
    first, second = (client.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    client.create_alias(AliasName="alias/mediamill-test", TargetKeyId=first)
    url = f"kms://alias/mediamill-test?{place(aws)}"
    sealer = open_sealer(url, tmp_path)
    old = await sealer.seal(TEXT, ABOUT)
    await sealer.close()
    client.update_alias(AliasName="alias/mediamill-test", TargetKeyId=second)
    sealer = open_sealer(url, tmp_path)
    new = await sealer.seal(TEXT, ABOUT)
    assert key_of(old).endswith(first)
    assert key_of(new).endswith(second)
    assert await sealer.open(old, ABOUT) == await sealer.open(new, ABOUT) == TEXT
    await sealer.close()


async def test_a_key_that_is_gone(aws, kms_url, tmp_path):
    sealer = open_sealer(kms_url, tmp_path)
    sealed = await sealer.seal(TEXT, ABOUT)
    await sealer.close()
    sealer = open_sealer(kms_url.replace("kms://", "kms://0000"), tmp_path)
    with pytest.raises(ConfigurationError, match="no usable key"):
        await sealer.seal(TEXT, ABOUT)
    assert await sealer.open(sealed, ABOUT) == TEXT  # the key of it is there still
    judge(aws, "kms").disable_key(KeyId=key_of(sealed).rpartition("/")[2])
    await sealer.close()
    with pytest.raises(Unsealable, match="bring it back"):
        await sealer.open(sealed, ABOUT)
    await sealer.close()


async def test_from_our_own_keys_to_kms_and_back(kms_url, tmp_path):
    ours = open_sealer("local:", tmp_path)
    sealed = await ours.seal(TEXT, ABOUT)
    moving = open_sealer(f"{kms_url} local:", tmp_path)
    assert await moving.open(sealed, ABOUT) == TEXT
    there = await moving.seal(TEXT, ABOUT)
    assert there.startswith("mm1$kms:arn:")
    back = open_sealer(f"local: {kms_url}", tmp_path)
    assert await back.open(there, ABOUT) == TEXT
    with pytest.raises(Unsealable, match="not among those"):
        await ours.open(there, ABOUT)
    await moving.close()
    await back.close()

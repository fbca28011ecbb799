"""What every doorbell does; a backend's test class inherits it and gives `bell` and `other`.

`other` is a second one, as another process would have. What goes through a server may take a while
to begin: rings before that are lost, as they may be. `ServedContract` is for those with a server:
it may be killed and started, and there is a gate on the way of `gated`.
"""

import asyncio
import logging

import pytest
import structlog
from tests.support.gates import Gate, gate_to

from mediamill.adapters.brokers import opening
from mediamill.adapters.brokers.opening import open_bell, probe_bell
from mediamill.adapters.brokers.outbox import EVERYBODY, MOST_WAITING
from mediamill.adapters.brokers.port import Doorbell, Ear
from mediamill.adapters.brokers.relay import SETTING, Relay
from mediamill.adapters.secrets import reading
from mediamill.adapters.secrets.file import FileKeeper
from mediamill.adapters.secrets.reading import Secrets
from mediamill.core.errors import ConfigurationError, Unavailable
from mediamill.core.sourced import sourced

LAST = "job:last"
"""A channel by which a test hears that what was rung before has come."""
ELSEWHERE = "sqlite:///elsewhere"
"""A store through which no doorbell rings."""
SECONDS = 60.0
"""How long a ring may take that must come."""


async def heard(bell: Doorbell, channel: str, ear: Ear) -> None:
    """Ring until it is heard."""
    async with asyncio.timeout(60):
        while True:
            await bell.ring(channel)
            if await ear.wait(0.1):
                return


async def all_heard(bell: Doorbell, other: Doorbell) -> None:
    """Wait until all rings so far have come: they come in their order."""
    with other.listen(LAST) as ear:
        await heard(bell, LAST, ear)


async def until(bell: Relay, *, connected: bool, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while bell.connected is not connected:
            await asyncio.sleep(0.01)


class DoorbellContract:
    far = ("job:1", "job:2", "work:bulk", "jobs:user_a")
    """Channels that are heard in other processes."""
    many = 500
    """Rings that come together."""

    async def test_a_ring_is_heard_here(self, bell: Doorbell):
        with bell.listen("work:a", "work:b") as ear:
            await bell.ring("work:b")
            assert await ear.wait(60)

    async def test_a_ring_before_the_wait_is_kept_until_cleared(self, bell: Doorbell):
        with bell.listen("a") as ear:
            await bell.ring("a")
            assert await ear.wait(0)
            ear.clear()
            assert not await ear.wait(0)

    async def test_a_ring_is_heard_elsewhere(self, bell: Doorbell, other: Doorbell):
        for name in self.far:
            with other.listen(name) as ear, other.listen("work:deaf") as deaf:
                await heard(bell, name, ear)
                await asyncio.sleep(0.05)
                deaf.clear()
                ear.clear()
                await bell.ring(name)
                assert await ear.wait(60)
                assert not await deaf.wait(0.05)

    async def test_many_rings_together(self, bell: Doorbell, other: Doorbell):
        kind = self.far[0].partition(":")[0]
        names = [f"{kind}:many{n}" for n in range(self.many)]
        with other.listen(names[0]) as first:
            await heard(bell, names[0], first)
        ears = [other.listen(name) for name in names]
        for ear in ears:
            ear.__enter__()
        await asyncio.gather(*(bell.ring(name) for name in names))
        assert all(await asyncio.gather(*(ear.wait(SECONDS) for ear in ears)))

    async def test_who_left_is_not_rung(self, bell: Doorbell):
        with bell.listen("a") as ear:
            pass
        await bell.ring("a")
        assert not await ear.wait(0)

    async def test_ringing_never_fails(self, bell: Doorbell):
        await bell.close()
        await bell.ring("a")


class Gated:
    """What a test of a server has: `server` has a `port`, `url` gives its address or a gate's."""

    def url(self, server, port: int = 0, **options: str) -> str:
        return server.url(port, **options)

    @pytest.fixture
    async def bell(self, server):
        bell = open_bell(self.url(server), ELSEWHERE)
        yield bell
        await bell.close()

    @pytest.fixture
    async def other(self, server):
        bell = open_bell(self.url(server), ELSEWHERE)
        yield bell
        await bell.close()

    @pytest.fixture
    async def gate(self, server):
        async with gate_to(server.port) as gate:
            yield gate

    @pytest.fixture
    async def gated(self, server, gate):
        bell = open_bell(self.url(server, gate.port), ELSEWHERE)
        yield bell
        await bell.close()


class GatedContract(Gated, DoorbellContract):
    async def test_it_can_be_closed_at_any_moment(self, server):
        """While it connects, too: the clients swallow that they are cancelled now and then."""
        for n in range(12):
            bell = open_bell(self.url(server), ELSEWHERE)
            await bell.ring(self.far[0])
            await asyncio.sleep(n / 500)
            async with asyncio.timeout(60):
                await bell.close()

    async def test_everybody_is_rung_when_the_server_is_back(self, bell, gated, gate: Gate):
        """The ring comes while who should hear it is away; nobody sends it again."""
        name = self.far[0]
        with gated.listen(name) as ear:
            await heard(bell, name, ear)
            await missed(bell, gated, gate, name)
            ear.clear()
            gate.open()
            assert await ear.wait(SECONDS), "nobody is told to look for what was missed"
            ear.clear()
            await heard(bell, name, ear)

    async def test_a_cut_connection_is_noticed(self, bell, gated, gate: Gate):
        name = self.far[0]
        with gated.listen(name) as ear:
            await heard(bell, name, ear)
            await all_heard(bell, gated)
            ear.clear()
            gate.cut()
            assert await ear.wait(SECONDS), "it does not know that it was away"

    async def test_what_was_rung_while_away_is_sent_when_back(self, gated, other, gate: Gate):
        name = self.far[0]
        with other.listen(name) as ear:
            await heard(gated, name, ear)
            await all_heard(gated, other)
            await gated._outbox.idle.wait()
            gate.close()
            await until(gated, connected=False)
            ear.clear()
            await gated.ring(name)
            assert not await ear.wait(0.1)
            gate.open()
            assert await ear.wait(SECONDS), "a ring was forgotten while the server was away"

    async def test_a_server_that_stands_still_holds_nobody_up(self, gated, other, gate: Gate):
        """Rings go nowhere: none waits for that, and what is kept is bounded."""
        name = self.far[0]
        with other.listen(name) as ear, gated.listen(name) as here:
            await heard(gated, name, ear)
            gate.moving.clear()
            for n in range(MOST_WAITING + 200):
                await gated.ring(f"{name.partition(':')[0]}:{n}")
            assert len(gated._outbox) <= MOST_WAITING
            here.clear()
            await gated.ring(name)
            assert await here.wait(0)
            ear.clear()
            gate.moving.set()
            assert await ear.wait(SECONDS), "the ring for everybody was not sent"

    async def test_a_ring_for_everybody_is_for_everybody(self, bell, other):
        with other.listen(self.far[0]) as ear, other.listen("work:some") as some:
            await heard(bell, self.far[0], ear)
            await asyncio.sleep(0.05)
            ear.clear()
            some.clear()
            await bell.ring(EVERYBODY)
            assert await ear.wait(60)
            assert await some.wait(60)

    @pytest.mark.parametrize("name", ["work:" + "ä" * 6000, "work:a\nb"])
    async def test_a_name_that_cannot_be_sent_rings_everybody(self, bell, other, name):
        with other.listen(self.far[0]) as ear, other.listen(name) as odd:
            await heard(bell, self.far[0], ear)
            await asyncio.sleep(0.05)
            ear.clear()
            await bell.ring(name)
            assert await odd.wait(60)
            assert await ear.wait(60)


class ServedContract(GatedContract):
    """`server` is a `Broker`."""

    async def test_it_is_told_whether_the_server_is_there(self, server, monkeypatch):
        assert await probe_bell(self.url(server), ELSEWHERE) == "connected"
        monkeypatch.setattr(opening, "PROBE_SECONDS", 0.3)
        with pytest.raises(Unavailable, match="MEDIAMILL_BROKER_URL"):
            await probe_bell(self.url(server, 1), ELSEWHERE)
        assert await probe_bell("inprocess:", ELSEWHERE) is None

    async def test_rings_go_on_after_a_restart(self, server, bell, other):
        name = self.far[0]
        with other.listen(name) as ear:
            await heard(bell, name, ear)
            await asyncio.to_thread(server.daemon.kill)
            await until(other, connected=False)
            await bell.ring(name)
            await asyncio.to_thread(server.daemon.start)
            await until(other, connected=True)
            ear.clear()
            await heard(bell, name, ear)

    @pytest.mark.soak
    async def test_a_server_that_says_nothing_is_given_up(self, bell, gated, gate: Gate):
        """Nobody rings, so nothing but its silence tells: some 30 to 60 seconds."""
        name = self.far[0]
        with gated.listen(name) as ear:
            await heard(bell, name, ear)
            gate.moving.clear()
            await until(gated, connected=False, seconds=90)
            ear.clear()
            gate.moving.set()
            assert await ear.wait(SECONDS)

    async def test_a_wrong_password_is_told_and_not_shown(self, server, caplog):
        caplog.set_level(logging.DEBUG)
        url = self.url(server, password="wr0ng-passw/rd")
        with structlog.testing.capture_logs() as told:
            bell = open_bell(url, ELSEWHERE)
            with bell.listen("work:bulk") as ear:
                async with asyncio.timeout(60):
                    while not any(line["action"] == "doorbell_refused" for line in told):
                        await asyncio.sleep(0.02)
                await bell.ring("work:bulk")
                assert await ear.wait(0)
            await bell.close()
        for text in (repr(told), repr(bell.__dict__)):
            assert "wr0ng" not in text

    async def change_password(self, server, password: str) -> None:
        """Let a server know another password, and end all connections."""
        raise NotImplementedError

    async def test_a_rotated_password_counts_without_a_restart(self, server, tmp_path, monkeypatch):
        monkeypatch.setattr(FileKeeper, "holds_seconds", None)  # only a refusal asks again
        monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
        (tmp_path / "password").write_text(server.password)
        who = f"{server.user}:${{file:{tmp_path}/password}}"
        secret = Secrets().of(f"{server.plain}://{who}@127.0.0.1:{server.port}", SETTING)
        bell, new = open_bell(await secret.current(), ELSEWHERE), "an0ther-passw/rd"
        bell.follow(secret, sourced(ELSEWHERE))
        name = self.far[0]
        with bell.listen(name) as ear, structlog.testing.capture_logs() as told:
            await until(bell, connected=True)
            await self.change_password(server, new)
            try:
                async with asyncio.timeout(60):
                    while not any(line["action"] == "doorbell_refused" for line in told):
                        await asyncio.sleep(0.02)
                (tmp_path / "password").write_text(new)
                await until(bell, connected=True)
                ear.clear()
                other = open_bell(self.url(server, password=new), ELSEWHERE)
                await heard(other, name, ear)
                await other.close()
            finally:
                await self.change_password(server, server.password)
        await bell.close()
        assert "passw/rd" not in str(told)
        assert any(line["action"] == "secret_changed" for line in told)

    async def test_rings_go_under_tls(self, server, bell):
        ca = str(server.certificates.authority)
        other = open_bell(server.tls_url(ca=ca), ELSEWHERE)
        with other.listen(self.far[0]) as ear:
            await heard(bell if self.one_server else other, self.far[0], ear)
            await until(other, connected=True)
        await other.close()

    one_server = True
    """Whether what is rung in the clear is heard under TLS: it is one server."""

    async def test_a_server_of_an_unknown_authority_is_refused(self, server):
        with structlog.testing.capture_logs() as told:
            bell = open_bell(server.tls_url(), ELSEWHERE)
            await bell.ring("work:bulk")
            async with asyncio.timeout(60):
                while not told:
                    await asyncio.sleep(0.02)
            assert not bell.connected
            await bell.close()
        assert "certificate" in told[0]["error"].lower()

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("127.0.0.1", "", "write "),
            ("127.0.0.1", "192.0.2.1", "allow_plaintext=true"),
            ("?", "?colour=red&", "unknown parameter colour"),
            ("?", "?ca=/none&", "ca is for "),
            ("?", "?name=a%20b&", "name is"),
            ("?", "?allow_plaintext=perhaps&", "true or false"),
            (":{port}", ":port", "write "),
            ("%2F", "/", "write "),
        ],
    )
    def test_a_bad_address_is_refused(self, server, before, after, said):
        url = f"{server.url(5, password='top/s3cret')}?"
        bad = url.replace(before.replace("{port}", "5"), after).rstrip("?&")
        assert bad != url.rstrip("?")
        with pytest.raises(ConfigurationError, match="MEDIAMILL_BROKER_URL") as refused:
            open_bell(bad, ELSEWHERE)
        assert said in refused.value.message
        assert "s3cret" not in refused.value.message

    @pytest.mark.parametrize("how", ["allow_plaintext", "loopback", "tls"])
    async def test_a_good_address_is_taken(self, server, how):
        url = server.tls_url(5) if how == "tls" else server.url(5)
        if how != "loopback":
            url = url.replace("127.0.0.1", "192.0.2.1")
        await open_bell(f"{url}?allow_plaintext=true", ELSEWHERE).close()


async def missed(bell: Relay, gated: Relay, gate: Gate, name: str) -> None:
    """Shut the gate and ring, so that who is behind it does not hear, and will not."""
    gate.close()
    await until(gated, connected=False)
    await bell.ring(name)
    await bell._outbox.idle.wait()
    await asyncio.sleep(0.1)

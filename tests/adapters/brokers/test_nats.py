"""The contract through a real NATS, and a greeting out of which TLS was cut."""

import asyncio

import pytest
import structlog

from mediamill.adapters.brokers.nats import NatsDoorbell
from mediamill.adapters.brokers.opening import open_bell
from tests.contracts.doorbell_contract import ELSEWHERE, ServedContract, heard
from tests.support.daemons import Daemon, program
from tests.support.listening import listening
from tests.support.nats import nats_server
from tests.support.processes import free_port

GREETING = (
    b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"auth_required":true}\r\n'
)


@pytest.fixture(scope="module")
def server():
    with nats_server() as running:
        yield running


class TestNats(ServedContract):
    one_server = False

    async def change_password(self, server, password):
        await asyncio.to_thread(server.daemon.end)
        words = list(server.daemon.command)
        words[words.index("--pass") + 1] = password
        server.daemon.command = words
        await asyncio.to_thread(server.daemon.start)

    async def test_the_rights_that_are_documented_are_enough(self, tmp_path):
        port = free_port()
        (tmp_path / "conf").write_text(
            "authorization { users = [ { user: least, password: least, permissions: {"
            ' publish: "mediamill", subscribe: "mediamill" } } ] }'
        )
        command = [program("nats-server", "nats-server"), "-a", "127.0.0.1", "-p", str(port)]
        daemon = Daemon([*command, "-c", "conf"], port, tmp_path)
        daemon.start()
        url = f"nats://least:{'least'}@127.0.0.1:{port}"
        bell, other = open_bell(url, ELSEWHERE), open_bell(url, ELSEWHERE)
        with other.listen("work:a") as ear:
            await heard(bell, "work:a", ear)
        await bell.close()
        await other.close()
        daemon.end()


async def said_to_a_thief(url: str) -> bytes:
    """Return what the doorbell of a URL says to a server that does not ask for TLS."""
    said = bytearray()

    async def serve(reader, writer):
        writer.write(GREETING)
        said.extend(await reader.read(1 << 12))

    async with listening(serve) as port:
        with structlog.testing.capture_logs() as told:
            bell = open_bell(f"{url}@127.0.0.1:{port}", ELSEWHERE)
            await bell.ring("work:bulk")
            async with asyncio.timeout(60):
                while not told:
                    await asyncio.sleep(0.02)
            await bell.close()
    return bytes(said)


@pytest.mark.parametrize("who", ["mill:s3cret", "s3cret", ""])
async def test_no_password_goes_to_who_does_not_ask_for_tls(who):
    assert b"s3cret" not in await said_to_a_thief(f"tls://{who}")


async def test_a_password_that_goes_there_is_noticed(monkeypatch):
    """A planted fault: the client as it is."""
    monkeypatch.setattr(NatsDoorbell, "is_private", lambda self, client: True)
    assert b"s3cret" in await said_to_a_thief("tls://mill:s3cret")

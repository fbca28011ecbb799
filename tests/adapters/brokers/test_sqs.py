"""The contract through ministack's SQS: rings of work go through it, those of jobs do not."""

import asyncio
from itertools import count

import pytest
import structlog

from mediamill.adapters.brokers.opening import open_bell
from mediamill.adapters.brokers.sqs import Queue
from mediamill.core.errors import ConfigurationError
from tests.contracts.doorbell_contract import ELSEWHERE, DoorbellContract, heard, missed, until
from tests.support.gates import gate_to
from tests.support.queues import queue_server, queue_url, sqs_client

numbers = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with queue_server(tmp_path_factory.mktemp("sqs")) as running:
        yield running


@pytest.fixture(autouse=True)
def credentials(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def queue():
    """A queue for each test: a ring that nobody took stays a minute."""
    return f"mediamill-{next(numbers)}"


class TestSqs(DoorbellContract):
    far = ("work:bulk", "work:interactive")
    many = 20

    @pytest.fixture
    async def bell(self, server, queue):
        bell = open_bell(queue_url(server, queue), ELSEWHERE)
        yield bell
        await bell.close()

    @pytest.fixture
    async def other(self, server, queue):
        bell = open_bell(queue_url(server, queue), ELSEWHERE)
        yield bell
        await bell.close()

    async def test_rings_of_jobs_stay_here(self, bell, other):
        with other.listen("work:bulk") as work, other.listen("job:1") as ear:
            await heard(bell, "work:bulk", work)
            ear.clear()
            with bell.listen("job:1") as here:
                await bell.ring("job:1")
                assert await here.wait(0)
            work.clear()
            await heard(bell, "work:bulk", work)
            assert not await ear.wait(0)

    async def test_who_does_not_work_takes_no_rings(self, server, queue, bell, other):
        ringing = open_bell(queue_url(server, queue, wake="1"), ELSEWHERE)
        with other.listen("job:1"), bell.listen("work:bulk") as ear:
            await until(other, connected=True)
            await until(bell, connected=True)
            for _ in range(3):
                ear.clear()
                await ringing.ring("work:bulk")
                assert await ear.wait(60), "somebody else took it"
        await ringing.close()

    async def test_everybody_is_rung_when_the_server_is_back(self, server, queue, bell):
        async with gate_to(server.port) as gate:
            gated = open_bell(queue_url(server, queue, gate.port), ELSEWHERE)
            with gated.listen("work:bulk") as ear:
                await heard(bell, "work:bulk", ear)
                await missed(bell, gated, gate, "work:bulk")
                await drained(bell, "work:bulk")
                ear.clear()
                gate.open()
                assert await ear.wait(60), "nobody is told to look for what was missed"
            await gated.close()

    async def test_a_ring_wakes_several(self, server, queue):
        ringing, *hearing = (open_bell(queue_url(server, queue), ELSEWHERE) for _ in range(3))
        with hearing[0].listen("work:bulk") as one, hearing[1].listen("work:bulk") as another:
            for bell in hearing:
                await until(bell, connected=True)
            async with asyncio.timeout(60):
                while True:  # two of the copies may go to one of them
                    one.clear()
                    another.clear()
                    await ringing.ring("work:bulk")
                    if await one.wait(0.5) and await another.wait(0.5):
                        break
        for bell in (ringing, *hearing):
            await bell.close()

    @pytest.mark.parametrize(("kept", "left"), [("60", 1), ("345600", 0)])
    async def test_messages_do_not_come_back(self, server, queue, kept, left):
        """They are deleted where they are not forgotten in time."""
        with sqs_client(server) as client:
            attributes = {"MessageRetentionPeriod": kept}
            address = client.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
        bells = [open_bell(queue_url(server, queue, wake="1"), ELSEWHERE) for _ in range(2)]
        with bells[1].listen("work:bulk") as ear:
            await until(bells[1], connected=True)
            ear.clear()
            await bells[0].ring("work:bulk")
            assert await ear.wait(60)
            await asyncio.sleep(0.3)
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            async with asyncio.timeout(60):
                found = None
                while found != [0, left]:
                    await asyncio.sleep(0.02)
                    with sqs_client(server) as client:
                        told = client.get_queue_attributes(QueueUrl=address, AttributeNames=names)
                    found = [int(told["Attributes"][name]) for name in names]
        for bell in bells:
            await bell.close()

    async def test_a_class_may_have_a_queue_of_its_own(self, server, queue):
        """So each function is called for its own work; who hears both takes from both."""
        where = queue_url(server, queue, wake="1", notices=f"{queue}-told")
        ringing = open_bell(where, ELSEWHERE)
        for channel in ("work:bulk", "work:notices", "work:long", "work:interactive"):
            await ringing.ring(channel)
        assert await ringing.delivered(60)
        with sqs_client(server) as client:
            assert bodies(client, queue) == [["work:bulk", "work:interactive"]]
            assert bodies(client, f"{queue}-told") == [["work:notices"]]
        hearing = open_bell(where, ELSEWHERE)
        with hearing.listen("work:bulk") as one, hearing.listen("work:notices") as other:
            await until(hearing, connected=True)
            for channel, ear in (("work:bulk", one), ("work:notices", other)):
                ear.clear()
                await ringing.ring(channel)
                assert await ear.wait(60), channel
        for bell in (ringing, hearing):
            await bell.close()

    async def test_who_leaves_messages_to_functions_takes_none(self, server, queue):
        deaf = open_bell(queue_url(server, queue, wake="1", hear="none"), ELSEWHERE)
        with deaf.listen("work:bulk"):
            await until(deaf, connected=True)
            ringing = open_bell(queue_url(server, queue, wake="1"), ELSEWHERE)
            await ringing.ring("work:bulk")
            assert await ringing.delivered(60)
            await asyncio.sleep(0.3)
            with sqs_client(server) as client:
                assert bodies(client, queue) == [["work:bulk"]]
        for bell in (ringing, deaf):
            await bell.close()

    async def test_what_was_not_delivered_is_told(self, server, queue):
        async with gate_to(server.port) as gate:
            gate.close()
            bell = open_bell(queue_url(server, queue, gate.port), ELSEWHERE)
            await bell.ring("work:bulk")
            assert not await bell.delivered(0.2)
            gate.open()
            assert await bell.delivered(60)
            await bell.close()

    async def test_wrong_credentials_are_told_and_not_shown(self, server, queue, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with structlog.testing.capture_logs() as told:
            bell = open_bell(queue_url(server, queue), ELSEWHERE)
            await bell.ring("work:bulk")
            async with asyncio.timeout(60):
                while not told:
                    await asyncio.sleep(0.02)
            await bell.close()
        assert told[0]["action"] == "doorbell_refused"


def bodies(client, queue: str) -> list[list[str]]:
    """Return the channels in each message of a queue."""
    address = client.get_queue_url(QueueName=queue)["QueueUrl"]
    found = client.receive_message(QueueUrl=address, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    return [sorted(one["Body"].split("\n")[1:]) for one in found.get("Messages", ())]


async def drained(bell, channel: str) -> None:
    """Take what is in the queue, so that only the ring for everybody is left."""
    with bell.listen(channel):
        await asyncio.sleep(0.3)


def test_what_functions_leave_calls_none_of_them():
    channels = ["work:bulk", "work:long"]
    assert Queue.of("sqs://a?region=x").shared_out(channels) == {"a": ["work:bulk"]}
    own = Queue.of("sqs://a?region=x&long=b").shared_out(channels)
    assert own == {"a": ["work:bulk"], "b": ["work:long"]}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqs://?region=x", "write sqs://queue"),
        ("sqs://a/b?region=x", "write sqs://queue"),
        ("sqs://bad.name?region=x", "1 to 80"),
        ("sqs://a?region=x&wake=0", "wake is"),
        ("sqs://a?region=x&wake=11", "wake is"),
        ("sqs://a?region=x&colour=red", "unknown parameter colour"),
        ("sqs://a?region=x&endpoint=nowhere", "endpoint is"),
        ("sqs://a?region=x&endpoint=http://192.0.2.1", "allow_plaintext=true"),
        ("sqs://a?region=x&notices=bad.name", "1 to 80"),
        ("sqs://a?region=x&hear=some", "hear is all, or none"),
        ("sqs://a", "AWS_DEFAULT_REGION"),
    ],
)
def test_a_bad_address_is_refused(url, said, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BROKER_URL") as refused:
        open_bell(url, ELSEWHERE)
    assert said in refused.value.message

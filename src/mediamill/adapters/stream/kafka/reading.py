"""Read topics as a member of a consumer group: one thread polls, whatever else goes on.

Every call of the consumer is made in that thread: what is asked for elsewhere waits in a queue. It
goes on polling while partitions are paused, so a taker that is slow loses nothing; only while
partitions are handed over it waits for the taker to finish.
"""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.asking import ANSWER_SECONDS, Administrator
from mediamill.adapters.stream.kafka.clients import consumer, told
from mediamill.adapters.stream.kafka.known import Known, is_of
from mediamill.adapters.stream.kafka.letters import Letters
from mediamill.adapters.stream.kafka.login import Login
from mediamill.adapters.stream.kafka.looking import Looks
from mediamill.adapters.stream.kafka.received import message_of, place_of, reading_as
from mediamill.adapters.stream.kafka.room import Room
from mediamill.adapters.stream.kafka.telling import Told, look_at
from mediamill.adapters.stream.port import Message, Outgoing, Part, Taker
from mediamill.core.errors import Conflict, MediamillError
from mediamill.core.sourced import Sourced

log = structlog.get_logger(__name__)

T = TypeVar("T")
Place = tuple[str, int]

ROOM = 64 << 20
"""Bytes of messages handed over and not released, of all partitions; one each may always be."""
POLL_SECONDS, BUSY_SECONDS = 0.2, 0.02
TOGETHER = 100
"""Messages that are handed over at a time, if as many are there."""
BEGIN_SECONDS = 30.0
CHECK_SECONDS = 10
"""How often it is asked whether a quiet topic is still the same."""


class KafkaStream:
    """A member of the group."""

    def __init__(self, address: Address, topics: Sequence[str], room: int = ROOM) -> None:
        self._login, self._topics, self._room = Login(address), list(topics), Room(room)
        self._parts: dict[Place, Part] = {}
        self._known = Known()
        self._members: dict[Part, Any] = {}
        """The group's metadata as it was when each partition became ours."""
        self._tasks: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._come: list[Message] = []
        """What came and was not handed over yet."""
        self._letters = Letters(self._login)
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(3, "kafka")
        self._looks = Looks(self._administrator, self._topics, self._threads)
        self._admin: Administrator | None = None
        self._loop: asyncio.AbstractEventLoop
        self._taker: Taker

    def follow(self, url: Sourced) -> None:
        self._login.follow(url)

    # -- for the taker ----------------------------------------------------------------------------

    async def run(self, taker: Taker, stop: asyncio.Event) -> None:
        """Hand over messages until `stop`; raises `ConfigurationError` for what will not mend."""
        self._loop, self._taker = asyncio.get_running_loop(), taker
        polling = self._loop.run_in_executor(self._threads, self._poll)
        stopping, watching = asyncio.create_task(stop.wait()), asyncio.create_task(self._watch())
        polled = asyncio.gather(polling, return_exceptions=True)
        try:
            await asyncio.wait((polled, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ended.set()
            stopping.cancel()
            watching.cancel()
            try:
                await polling
            finally:
                self._threads.shutdown(wait=False)

    def release(self, messages: Sequence[Message]) -> None:
        """Give back the room of messages."""
        for part in self._room.release(messages):
            self._tasks.put(partial(self._resume, part=part))

    async def confirm(self, part: Part) -> bool:
        """Ask for the topic's id anew; several who ask at a time share the next answer."""
        ids = await self._looks.look()
        if ids.get(part.topic) == part.topic_id:
            return True
        if self._parts.get((part.topic, part.number)) == part:
            log.warning("topic made anew", action="topic_changed", topic=part.topic)
            self._tasks.put(self._begin_anew)
        return False

    def commit(self, offsets: Mapping[Part, int]) -> None:
        """Have offsets committed by the thread that polls."""
        self._tasks.put(lambda reader: self._commit(reader, offsets))

    async def bury(self, part: Part, messages: Sequence[Outgoing], settled: int) -> None:
        """Write letters and the offset in a transaction, in a thread."""
        member = self._members.get(part)
        if member is None:
            raise Conflict("Kafka: this partition is another process's now.")
        self._known.note(part.topic, part.number, settled - 1)
        await self._loop.run_in_executor(
            self._threads, self._letters.bury, part, messages, settled, member
        )

    async def behind(self, part: Part) -> int | None:
        """Return the end of a partition, as the last fetch told it."""
        place = TopicPartition(part.topic, part.number)
        ends: asyncio.Future[int | None] = self._loop.create_future()

        def ask(reader: Consumer) -> None:
            end = None
            with suppress(KafkaException, RuntimeError):
                low_high = reader.get_watermark_offsets(place, cached=True)
                end = low_high[1] if low_high and low_high[1] >= 0 else None
            self._loop.call_soon_threadsafe(_settle, ends, end)

        self._tasks.put(ask)
        return await ends

    # -- on the loop ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look now and then whether topics, where nothing comes that shows it, and we are the same.

        At once where we are refused.
        """
        for second in itertools.count(1):
            await asyncio.sleep(1)
            if self._login.refused or second % CHECK_SECONDS == 0:
                await self._login.renew()
            for part in [] if second % CHECK_SECONDS else list(self._parts.values()):
                with suppress(MediamillError):
                    await self.confirm(part)

    # -- in the thread that polls ---------------------------------------------------------------

    def _poll(self) -> None:
        try:
            while not self._ended.is_set():
                self._read_as(self._login.address)
        finally:
            self._ended.set()

    def _read_as(self, address: Address) -> None:
        """Be a member of the group until told to end, or the address is another one."""
        settings = reading_as(address)
        settings |= {"on_commit": self._committed, "error_cb": Told(self._login)}
        reader = consumer(self._login, **settings)
        try:
            with told():
                self._subscribe(reader)
                while not self._ended.is_set() and self._login.address is address:
                    self._step(reader)
        finally:
            reader.close()

    def _administrator(self) -> Administrator:
        if self._admin is None or self._admin.stale:
            self._admin = Administrator(self._login)
        return self._admin

    def _step(self, reader: Consumer) -> None:
        """Do what is asked for, then wait for room, and for messages, not long in a busy time."""
        busy = False
        while not self._tasks.empty():
            self._tasks.get()(reader)
            busy = True
        room, crowded = self._room.wait(BUSY_SECONDS)
        if crowded:
            reader.pause([_place(part) for part in crowded])
        if room:
            self._receive(reader, busy=busy)

    def _receive(self, reader: Consumer, *, busy: bool) -> None:
        """Hand over what has come, as far as there is room."""
        received = reader.poll(BUSY_SECONDS if busy or self._room.tight else POLL_SECONDS)
        while received is not None:
            if (error := received.error()) is not None:
                look_at(error)
            elif (part := self._parts.get(place_of(received))) is not None:
                self._come.append(message := message_of(part, received))
                if not self._room.hold(message) or len(self._come) >= TOGETHER:
                    break
            received = reader.poll(0)
        messages, self._come = self._come, []
        if messages:
            self._loop.call_soon_threadsafe(self._taker.take, messages)

    def _resume(self, reader: Consumer, part: Part) -> None:
        if self._parts.get((part.topic, part.number)) == part:
            reader.resume([_place(part)])

    def _commit(self, reader: Consumer, offsets: Mapping[Part, int]) -> None:
        """Commit what is still ours, and not known to be; what fails is committed next time."""
        if places := self._known.ahead(offsets, self._members):
            try:
                reader.commit(offsets=places, asynchronous=True)
            except KafkaException as error:
                log.warning("not committed", action="commit_failed", error=str(error))

    def _committed(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        if error is not None and error.code() != KafkaError._NO_OFFSET:
            log.info("committed later", action="commit_delayed", error=error.str())
            return
        for place in places:
            if place.error is None:
                self._known.note(place.topic, place.partition, place.offset)

    # -- handing over -----------------------------------------------------------------------------

    def _subscribe(self, reader: Consumer) -> None:
        reader.subscribe(
            self._topics,
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def _begin_anew(self, reader: Consumer) -> None:
        """Leave the group and join it again: everything is looked at anew."""
        reader.unsubscribe()
        self._subscribe(reader)

    def _assigned(self, reader: Consumer, places: list[TopicPartition]) -> None:
        while not self._ended.is_set():
            try:
                self._take_over(reader, places)
            except (KafkaException, MediamillError, TimeoutError) as error:
                log.warning("partitions taken later", action="assign_failed", error=repr(error))
                time.sleep(1)
            else:
                return

    def _take_over(self, reader: Consumer, places: list[TopicPartition]) -> None:
        """Find out where each partition goes on, and begin there."""
        ids = self._administrator().ids(sorted({place.topic for place in places}))
        cluster = self._administrator().cluster()
        parts = [
            Part(cluster, place.topic, ids[place.topic], place.partition)
            for place in places
            if place.topic in ids
        ]
        firsts = self._ask(self._taker.begin(parts), BEGIN_SECONDS)
        asked = [TopicPartition(part.topic, part.number) for part in parts]
        found = reader.committed(asked, ANSWER_SECONDS) if asked else []
        member = reader.consumer_group_metadata()
        self._parts = {(part.topic, part.number): part for part in parts}
        self._members = dict.fromkeys(parts, member)
        self._known.reset(zip(parts, found, strict=True))
        self._room.reset(parts)
        begins = [
            TopicPartition(part.topic, part.number, self._begin_at(part, place, firsts[part]))
            for part, place in zip(parts, found, strict=True)
        ]
        reader.assign(begins)
        log.info(
            "partitions assigned",
            action="partitions_assigned",
            partitions=[f"{one.topic}/{one.partition}@{one.offset}" for one in begins],
        )

    def _begin_at(self, part: Part, committed: TopicPartition, first: int) -> int:
        """Choose the later of what the group has committed and what the taker has settled.

        What was committed for another topic of this name does not count.
        """
        known = is_of(committed, part)
        if known or first:
            return max(committed.offset if known else 0, first)
        return OFFSET_BEGINNING if self._login.address.start == "earliest" else OFFSET_END

    def _revoked(self, reader: Consumer, _: list[TopicPartition]) -> None:
        """Let the taker finish, commit what it has settled, and give the partitions up."""
        parts = list(self._members)
        try:
            settled = self._ask(self._taker.drain(parts), BEGIN_SECONDS)
            if places := self._known.ahead(settled, self._members):
                reader.commit(offsets=places, asynchronous=False)
        except (KafkaException, MediamillError, TimeoutError) as error:
            log.warning("drained in part", action="drain_failed", error=repr(error))
        self._give_up(reader)

    def _lost(self, reader: Consumer, _: list[TopicPartition]) -> None:
        log.warning("partitions lost", action="partitions_lost")
        self._give_up(reader)

    def _give_up(self, reader: Consumer) -> None:
        parts = list(self._members)
        self._parts, self._members = {}, {}
        self._known.reset()
        self._come = []  # else they might be taken for those of the next assignment
        self._room.reset()
        self._loop.call_soon_threadsafe(self._taker.drop, parts)
        reader.unassign()

    def _ask(self, waiting: Coroutine[Any, Any, T], seconds: float) -> T:
        """Have the loop do something, and wait for it here."""
        future = asyncio.run_coroutine_threadsafe(waiting, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise


def _place(part: Part) -> TopicPartition:
    return TopicPartition(part.topic, part.number)


def _settle(future: "asyncio.Future[int | None]", value: int | None) -> None:
    if not future.done():
        future.set_result(value)

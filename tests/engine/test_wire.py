"""Both ends of a slot's socket: what is held goes with the next message, or before a wait."""

import select
import socket

import pytest

from mediamill.engine.slots.child import PROGRESS_SECONDS, Reporter
from mediamill.engine.slots.wire import LONGEST, ChildEnd, Frames, frame


@pytest.fixture
def ends():
    """The child's end, and the plain socket of the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.settimeout(5)
    end = ChildEnd(theirs.detach())
    yield end, ours
    ours.close()
    end._socket.close()


def waiting(worker: socket.socket) -> bool:
    return bool(select.select([worker], [], [], 0)[0])


def test_what_is_held_goes_with_the_next_message(ends):
    child, worker = ends
    child.hold(b"done 1")
    assert not waiting(worker)
    child.send(b"started 2")
    assert [*Frames().feed(worker.recv(100))] == [b"done 1", b"started 2"]
    child.send(b"done 2")
    assert [*Frames().feed(worker.recv(100))] == [b"done 2"]


def test_nothing_is_held_while_the_child_waits(ends):
    child, worker = ends
    worker.sendall(frame(b"item 1") + frame(b"item 2"))
    assert child.receive() == b"item 1"
    child.hold(b"done 1")
    assert child.receive() == b"item 2"  # it is here already: no wait
    assert not waiting(worker)
    worker.sendall(frame(b"end"))
    assert child.receive() == b"end"
    assert [*Frames().feed(worker.recv(100))] == [b"done 1"]


def test_what_is_too_long_to_be_held_spoils_nothing(ends):
    child, worker = ends
    child.hold(b"done 1")
    with pytest.raises(ValueError, match="too long"):
        child.hold(bytes(LONGEST + 1))
    child.send(b"failed 2")
    assert [*Frames().feed(worker.recv(100))] == [b"done 1", b"failed 2"]


def test_there_is_no_progress_of_what_is_over_at_once(monkeypatch):
    now, sent = [0.0], []
    monkeypatch.setattr("mediamill.engine.slots.child.time.monotonic", lambda: now[0])
    report = Reporter(sent.append, 3)
    report(1.0)
    assert not sent
    for now[0] in (PROGRESS_SECONDS, 1.5 * PROGRESS_SECONDS, 2 * PROGRESS_SECONDS):
        report(0.5)
    assert [one.fraction for one in sent] == [0.5, 0.5]

"""Decode chosen frames of a video and as little else as possible."""

from collections.abc import Iterator, Sequence

from av.error import FFmpegError
from av.video.frame import VideoFrame

from mediamill.media.video.container import Video
from mediamill.media.video.demux import decoded, packets
from mediamill.media.video.nal import ENTRY
from mediamill.media.video.plan import DROP, JUMP, feeding
from mediamill.media.video.timeline import Packets, Timeline


class Diverged(Exception):
    """What came out of the decoder is not what the packets had promised."""


def decode(
    video: Video, timeline: Timeline, wanted: Sequence[int], name: str
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield the frames with the given ascending indexes.

    Raises `Diverged` when a frame fails to appear; frames yielded before that are right.
    """
    if timeline.packets is None:
        return _by_place(video, wanted, name)
    return _by_time(video, timeline, timeline.packets, wanted, name)


def _by_place(video: Video, wanted: Sequence[int], name: str) -> Iterator[tuple[int, VideoFrame]]:
    """Decode everything and count."""
    pending = iter(wanted)
    awaited = next(pending, None)
    frames = (frame for frame in decoded(video, name) if frame is not None)
    for place, frame in enumerate(frames):
        if awaited is None:
            return
        if place == awaited:
            yield place, frame
            awaited = next(pending, None)


def _by_time(
    video: Video, timeline: Timeline, known: Packets, wanted: Sequence[int], name: str
) -> Iterator[tuple[int, VideoFrame]]:
    pending = iter(wanted)
    awaited = next(pending, None)
    for frame in _selected(video, timeline, known, wanted, name):
        if awaited is None:
            return
        if frame.pts is None or frame.pts > timeline.pts(awaited):
            raise Diverged
        if frame.pts == timeline.pts(awaited):
            yield awaited, frame
            awaited = next(pending, None)
    if awaited is not None:
        raise Diverged


def _selected(
    video: Video, timeline: Timeline, known: Packets, wanted: Sequence[int], name: str
) -> Iterator[VideoFrame]:
    """Feed the packets that the plan keeps, and yield all that comes out."""
    actions = feeding(known, [timeline.order[n] for n in wanted], video.codec.name == "hevc")
    last = actions.rstrip(bytes([DROP]))
    if all(known.flags[n] & ENTRY for n, action in enumerate(last) if action != DROP):
        # Key frames alone: encoding keeps a core busy beside, and threads of frames cost 25 % here.
        video.codec.thread_count = max(1, video.codec.thread_count - 1)
    try:
        for n, packet in enumerate(packets(video, name)):
            if n >= len(last):
                break
            if packet is None or packet.pts != known.pts[n]:
                raise Diverged
            if actions[n] == JUMP:
                yield from video.codec.decode(None)
                video.codec.flush_buffers()
            if actions[n] != DROP:
                yield from video.codec.decode(packet)
        yield from video.codec.decode(None)
    except (FFmpegError, ValueError, EOFError) as error:
        raise Diverged from error

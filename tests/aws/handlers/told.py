"""The worker with operations that misbehave (`tests/support/operations.py`), and worse."""

from tests.support.misbehaving import Misbehaving

from mediamill.app import App
from mediamill.aws.working import Works
from mediamill.core.errors import Unavailable
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.shift import crew

opening = App.open


async def opened(settings, **more):
    return await opening(settings, Misbehaving(), **more)


App.open = opened
handler = Works(crew)


class Later:
    """A context that says that the end is four seconds later than it is."""

    def __init__(self, context):
        self._context = context
        self.aws_request_id = context.aws_request_id
        self.memory_limit_in_mb = context.memory_limit_in_mb

    def get_remaining_time_in_millis(self):
        return self._context.get_remaining_time_in_millis() + 4000


def late(event, context):
    """Work until the invocation is killed in its midst."""
    return handler(event, Later(context))


def away(event, context):
    """Work while the store cannot be asked for units."""

    async def claim_next(*_):
        raise Unavailable("The store is away.")

    Scheduler.claim_next = claim_next
    return handler(event, context)

"""The contract of a place that is none."""

import pytest

from mediamill.adapters.events.opening import open_events
from mediamill.core.errors import ConfigurationError
from tests.contracts.events_contract import EventsContract


class TestNone(EventsContract):
    @pytest.fixture
    async def events(self):
        events = open_events("none:")
        yield events
        await events.close()


@pytest.mark.parametrize("url", ["none:x", "none://", "nowhere:", "kafka://x", ""])
def test_a_bad_address_is_refused(url):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_EVENTS_URL"):
        open_events(url)

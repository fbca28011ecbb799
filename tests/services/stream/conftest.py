import pytest
from tests.support.memory_stream import MemoryBroker


@pytest.fixture
def kafka() -> MemoryBroker:
    """A stream in memory: what is asked here is no matter of Kafka."""
    return MemoryBroker()

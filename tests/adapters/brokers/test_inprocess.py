"""The contract on the embedded doorbell."""

import pytest

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from tests.contracts.doorbell_contract import DoorbellContract


class TestInProcess(DoorbellContract):
    @pytest.fixture
    async def bell(self):
        bell = InProcessDoorbell()
        yield bell
        await bell.close()

    @pytest.fixture
    def other(self, bell):
        return bell

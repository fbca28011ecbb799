import pytest
from tests.faults.test_told_events import kill_in_turn
from tests.support.places import POSTGRESQL
@pytest.mark.places(POSTGRESQL)
@pytest.mark.timeout(300)
async def test_it(tmp_path):
    wrong, repeats = await kill_in_turn(tmp_path, 12)
    print("PG 12 kills", wrong, repeats)
    assert wrong == []

"""Projects over the other stores, where indexes may lag and bytes are objects."""

import pytest

from tests.support.places import EVERYWHERE
from tests.support.serving import working
from tests.web import test_datasets as datasets


@pytest.mark.soak
@pytest.mark.places(*EVERYWHERE[1:])
async def test_elsewhere_too(mill, ann):
    async with working(mill) as worker:
        await datasets.test_members_move_between_splits_and_back(ann, worker)
        await datasets.test_a_version_stays_what_it_was(mill, ann, worker)

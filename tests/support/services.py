"""What a test does when the machine lacks something that it needs."""

import os
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip loudly; fail where everything must be present (`MEDIAMILL_REQUIRE_SERVICES=1`)."""
    if os.environ.get("MEDIAMILL_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)

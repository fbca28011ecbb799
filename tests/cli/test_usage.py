"""`mediamill usage`: a line for each limit that is set, or of which something is used."""

import pytest

from mediamill.cli.usage import line_of

MONTH = "2026-12-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("one", "line"),
    [
        ({"quota": "files", "used": 311, "limit": 2000, "resets_at": None}, "Files: 311 of 2,000."),
        ({"quota": "jobs", "used": 1, "limit": None, "resets_at": None}, "Open jobs: 1."),
        ({"quota": "items", "used": 4120, "limit": 10_000, "resets_at": MONTH},
         "Items run this month: 4,120 of 10,000 until 2026-12-01 00:00 UTC."),
        ({"quota": "spending", "used": 1.5, "limit": 20, "resets_at": MONTH},
         "Model calls this month: $1.50 of $20.00 until 2026-12-01 00:00 UTC."),
    ],
)  # fmt: skip
def test_a_limit_is_a_line(one, line):
    assert line_of(one) == line

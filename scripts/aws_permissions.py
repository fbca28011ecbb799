"""Write infra/aws/permissions.json: what our code asks of AWS, by role, and which code that is.

    python scripts/aws_permissions.py [--check]

The program runs on emulators, each function by its own handler, and it is heard what it asks
(`tests/support/asked.py`). A place of the code that this does not reach stands in `UNHEARD` with
the reason, or the script fails. `tests/infra/test_permissions.py` compares the outcome with what
the templates grant. This takes half a minute: run it when that test says that a place is new.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.asked import Place, Recorder, places, recording, strangers  # noqa: E402
from tests.support.asking_aws import (  # noqa: E402
    backends_at_work,
    functions_at_work,
    installation,
    secret_rotated,
)

WRITTEN = ROOT / "infra/aws/permissions.json"

PROVIDERS = (
    "asked of models that a parameter names, which the policy Models lets; batches are granted by "
    "who wants them"
)
MADE = "the templates make it; a right to make more is nobody's"
LOST = "what was written by a request whose answer was lost; it asks for what others are heard to"

UNHEARD: Mapping[str, str] = {
    "adapters/brokers/sqs.py sqs:CreateQueue": MADE,
    "adapters/events/sns.py sns:CreateTopic": MADE,
    "adapters/events/sns.py sns:ListTopics": "the templates name the topic by its ARN",
    "adapters/providers/": PROVIDERS,
    "adapters/secrets/ssm.py ssm:GetParameter": "the templates keep secrets in Secrets Manager",
    "blobs/s3/objects.py s3:HeadObject": LOST,
    "blobs/s3/objects.py s3:DeleteObject": LOST,
    "store/dynamodb/store.py dynamodb:DescribeTable": "asked at the start by another function, too",
    "store/dynamodb/table.py dynamodb:ListTagsOfResource": "asked of tables that nobody made whole",
}
"""Places that are not heard, or folders of them, and why not."""


def main() -> int:
    """Record anew; with `--check` only tell what would change."""
    with (
        tempfile.TemporaryDirectory() as folder,
        recording() as recorder,
        installation(Path(folder)) as cloud,
    ):
        functions_at_work(recorder, cloud)
        asyncio.run(backends_at_work(recorder, cloud, Path(folder)))
        asyncio.run(secret_rotated(recorder, cloud))
    if troubles := [*_troubles(recorder)]:
        print("\n".join(troubles))
        return 1
    text = json.dumps(_told(recorder), indent=1, ensure_ascii=False) + "\n"
    before = WRITTEN.read_text() if WRITTEN.exists() else ""
    if text == before:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{WRITTEN.relative_to(ROOT)} is out of date: run scripts/aws_permissions.py")
        return 1
    WRITTEN.write_text(text)
    print(f"{WRITTEN.relative_to(ROOT)} written")
    return 0


def excused(place: Place) -> str:
    """Return why a place is not heard; empty where there is no reason."""
    exact = f"{place.module} {place.service}:{place.operation}"
    folder = next((name for name in UNHEARD if name.endswith("/") and exact.startswith(name)), "")
    return UNHEARD.get(exact, "") or UNHEARD.get(folder, "")


def _troubles(recorder: Recorder) -> Iterable[str]:
    for module in strangers():
        yield f"{module} speaks to AWS, and tests/support/asked.py does not know it."
    for place in sorted(places() - recorder.reached.keys()):
        if not excused(place):
            yield f"{place}: nothing has reached it; have it done, or say in UNHEARD why not."
    for place in sorted(recorder.reached.keys() - places()):
        yield f"{place}: it was asked by code that does not name it."


def _told(recorder: Recorder) -> dict[str, Any]:
    unheard = {place: why for place in sorted(places() - recorder.reached.keys())
               if (why := excused(place))}  # fmt: skip
    return {
        "about": "Written by scripts/aws_permissions.py; tests/infra/test_permissions.py reads it.",
        "roles": {
            role: {action: sorted(modules) for action, modules in sorted(asked.items())}
            for role, asked in sorted(recorder.asked.items())
        },
        "places": {
            str(place): sorted(recorder.reached[place]) for place in sorted(recorder.reached)
        },
        "unheard": {str(place): why for place, why in unheard.items()},
    }


if __name__ == "__main__":
    sys.exit(main())

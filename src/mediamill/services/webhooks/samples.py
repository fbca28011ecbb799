"""Made-up events of every type, by which a receiver is tried.

What they are about does not exist: its id ends with zeros only, and its links lead nowhere.
"""

from typing import Any

from mediamill.core.clock import rfc3339
from mediamill.core.events import Snapshot, checked, event_id, under
from mediamill.core.ids import new_id

NOBODY = "0" * 26
DIGEST = "0" * 64


def sample(type_: str, webhook_id: str, now: int, public: str) -> Snapshot:
    """Make an event of a type, as if it had happened at a time (ms), with an id of its own."""
    noun, _, what = type_.partition(".")
    make = {"job": _job, "file": _file, "budget": _budget, "webhook": _webhook}
    event = checked({
        "id": event_id(now, webhook_id, new_id("test")),
        "type": type_,
        "timestamp": rfc3339(now),
        "data": make[noun](what, webhook_id, now),
    })  # fmt: skip
    return under(event, public)


def _job(what: str, _id: str, now: int) -> dict[str, Any]:
    failed = {"partial": 1, "failed": 2}.get(what, 0)
    over = what in ("succeeded", "partial", "failed")
    counts = {
        "succeeded": 2 - failed if over else 0, "failed": failed, "reused": 0,
        "cancelled": 2 if what == "cancelled" else 0,
    }  # fmt: skip
    path = f"/v1/jobs/job_{NOBODY}"
    return {
        "id": f"job_{NOBODY}", "name": "A test", "state": "running" if what == "accepted" else what,
        "class": "interactive", "generation": 0, "items": 2, "counts": counts,
        "steps": ["thumbnail"], "project": None,
        "error": "A test." if what == "failed" else None, "created_at": rfc3339(now),
        "finished_at": None if what == "accepted" else rfc3339(now),
        "links": {"self": path, "results": f"{path}/results"},
    }  # fmt: skip


def _file(what: str, _id: str, now: int) -> dict[str, Any]:
    path, rejected = f"/v1/files/file_{NOBODY}", what == "rejected"
    links = {"self": path} if what in ("rejected", "purged") else {
        "self": path, "content": f"{path}/content",
    }  # fmt: skip
    return {
        "id": f"file_{NOBODY}", "name": "test.png", "media_type": "image/png", "size": 68,
        "sha256": DIGEST, "source": "import" if rejected else "upload", "tags": [],
        "problem": {"code": "fetch_failed", "message": "A test."} if rejected else None,
        "created_at": rfc3339(now), "links": links,
    }  # fmt: skip


def _budget(what: str, _id: str, now: int) -> dict[str, Any]:
    month, percent = rfc3339(now)[:7], 80 if what == "near" else 100
    return {
        "id": f"user_{NOBODY}", "month": month, "monthly": 10.0, "spent": percent / 10,
        "percent": percent, "wanted": None, "links": {"self": f"/v1/spending?month={month}"},
    }  # fmt: skip


def _webhook(_what: str, webhook_id: str, _now: int) -> dict[str, Any]:
    return {"id": webhook_id}

"""Workers over HTTP."""

from mediamill.engine.presence import Presence
from mediamill.store.repositories.workers import Workers, WorkerState
from tests.support.places import everywhere


@everywhere
async def test_an_administrator_drains_a_worker(mill, admin, ann):
    presence = Presence(Workers(mill.store), lease=3)
    row = await presence.tell("mill-1-a", ("bulk", "long"), WorkerState.RUNNING, 3)
    (shown,) = (await admin.client.get("/v1/admin/workers")).json()["data"]
    assert (shown["id"], shown["state"], shown["running"]) == (row.id, "running", 3)
    place = f"/v1/admin/workers/{row.id}"
    assert (await ann.client.post(f"{place}/drain")).status_code == 403
    answer = await admin.client.post(f"{place}/drain")
    assert (answer.status_code, answer.json()["drain"]) == (200, True)
    row = await presence.tell("mill-1-a", ("bulk",), WorkerState.DRAINING, 1)
    assert row.drain
    assert (await admin.client.post(f"{place}/undrain")).json()["drain"] is False
    await admin.client.post(f"{place}/drain")
    for state in (WorkerState.DRAINING, WorkerState.DRAINED):
        row = await presence.tell("mill-1-a", ("bulk",), state, 0)
    assert row.over
    assert (await admin.client.post(f"{place}/undrain")).status_code == 409
    gone = await admin.client.post("/v1/admin/workers/worker_x/drain")
    assert gone.status_code == 404
    told = (await admin.client.get("/v1/admin/audit", params={"about": row.id})).json()["data"]
    assert [act["action"] for act in told] == [
        "worker_drained", "worker_undrained", "worker_drained", "denied",
    ]  # fmt: skip

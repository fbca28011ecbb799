"""Who gets a mail about a budget: who may have one, and wants mails at all."""

from dataclasses import dataclass

from mediamill.engine.asking.booking import BudgetNews
from mediamill.handlers.telling.budgets import BudgetMailChannel
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.spending import EVERYBODY
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import Role, User, Users


@dataclass
class Nearby:
    """Takes no letters to addresses that only this machine knows."""

    anywhere: bool = False


async def test_mails_go_to_whose_budget_it_is():
    store = MemoryStore()
    users, mails = Users(store), Mails(store)
    people = {
        "ann": {}, "bob": {"role": Role.ADMIN}, "cas": {"role": Role.ADMIN},
        "dan": {"role": Role.ADMIN, "disabled": True},
    }  # fmt: skip
    for name, more in people.items():
        await users.add(User(id=f"user_{name}", email=f"{name}@example.org", created=1, **more))
    admin = User(id="user_x", email="admin@localhost", role=Role.ADMIN, created=1)
    await users.add(admin)
    channel = BudgetMailChannel(users, mails, Nearby())

    async def to(scope: str) -> list[str]:
        notice = BudgetNews(scope, "2026-11", 100, 80, 90).unit(1)
        units = await channel.units(notice, 1)
        assert {unit.owner for unit in units} <= {scope}, "they are of the lane of the notice"
        return [unit.payload["to"] for unit in units]

    assert await to("user_ann") == ["user_ann"]
    assert await to(EVERYBODY) == ["user_bob", "user_cas"]
    await store.transact(await mails.refuse("bob@example.org"))
    assert await to(EVERYBODY) == ["user_cas"]
    assert await to("user_gone") == []
    other = Unit.notice("notify", "job_a:notify", 1, "user_ann", now=1, job="job_a", generation=1)
    assert await channel.units(other, 1) == ()

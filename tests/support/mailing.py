"""Mails about accounts over a store alone: they lie in its queue, and nobody sends them."""

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.sessions import Sessions
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.users import Users


def mailed_of(store, clock) -> Mailed:
    users = Users(store)
    return Mailed(users, Units(store), Sessions(users, clock), InProcessDoorbell())

"""Subscriptions as an operator deals with them: how many others there are, and removing all of ours."""

from __future__ import annotations

from connector.business_central.session import ChangeRefused
from connector.decisions.renewal import Remove, Target, concerns
from connector.errors import Outage
from connector.flows.parts import Parts
from connector.flows.renew import door_of, listing, remove
from connector.model.subscriptions import Scope
from connector.storage.subscriptions import Standing

REMOVED = "removed by an operator"


def foreign(parts: Parts) -> int:
    """How many subscriptions of the environment are not ours. Raises `Outage`."""
    listed, door = listing(parts), door_of(parts)
    ours = [one for one in listed.subscriptions if door is not None and door.leads_here(one)]
    return listed.count - len(ours)


def remove_all(parts: Parts) -> tuple[int, list[str]]:
    """Removes all of ours and puts that on record: how many are gone, and why others are not. Raises `Outage` when they cannot
    be listed. While webhooks are on, the next renewal makes them anew."""
    door = door_of(parts)
    if door is None:
        return 0, []
    ours = [one for one in listing(parts).subscriptions if door.leads_here(one)]
    left, faults = [], []
    for one in ours:
        try:
            remove(parts, Remove(one, "unwanted"))
        except (ChangeRefused, Outage) as fault:
            left.append(one)
            faults.append(str(fault))
    for company, feed in parts.feeds():
        target = Target(Scope(company.key, feed), company.id)
        if not any(concerns(one, target) for one in left):
            parts.registry.keep(target.scope, Standing("refused", why=REMOVED))
    return len(ours) - len(left), faults

"""Release: parked documents go on by themselves when what they were held against has changed: a column was widened in
ServiceNow, the profile or a translation table was completed. Everything else that mends a document is either a change of the
document in BC, which detection sees, or somebody's decision, which is a replay.
"""

from __future__ import annotations

from connector.decisions.release import CAUSES, may_fit
from connector.errors import Outage, StorageUnavailable
from connector.flows.desk import Act, codes_of, parked_in, replay
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.model.units import Origin
from connector.settings import Company

BY_ITSELF = Act("connector", "column lengths, profile or translations have changed since it was parked")


def release(parts: Parts, company: Company, entity: Entity) -> int:
    """Sends again what may fit now; how many. Raises `StorageUnavailable`."""
    found = [one for one in parked_in(parts, company, entity) if not CAUSES.isdisjoint(codes_of(one))]
    if not found:
        return 0
    try:
        # Before the instance was looked at, its column lengths are not known.
        if parts.preflight.refusal(entity) is not None:
            return 0
    except StorageUnavailable:
        raise
    except Outage:
        return 0  # the next rescue asks again
    now = parts.held_against()
    fitting = [one for one in found if may_fit(codes_of(one), one.state.held, now)]
    return replay(parts, fitting, BY_ITSELF, Origin.RETRY).count

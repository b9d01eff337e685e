"""Release: parked documents go on by themselves when what stood in their way has changed: a column was widened in ServiceNow,
a translation table or the checks file was completed, master data was corrected in either system. Everything else that mends a
document is either a change of the document in BC, which detection sees, or somebody's decision, which is a replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.decisions.duplicates import twin_text
from connector.decisions.found import found_text
from connector.decisions.release import CAUSES, SAID, ParkedSince, due, may_fit
from connector.errors import Outage, StorageUnavailable
from connector.flows.desk import Act, Parked, codes_of, parked_in, replay
from connector.flows.parts import Parts
from connector.flows.references import FRESH, Wanted, gather
from connector.model.documents import Entity
from connector.model.units import Origin
from connector.setting_words import Company
from connector.storage.ledger import partition

BY_ITSELF = Act("connector", "what stood in its way has changed since it was parked")
Thing = tuple[str, ...]


def release(parts: Parts, company: Company, entity: Entity) -> int:
    """Sends again what may fit now; how many. Raises `StorageUnavailable`."""
    found = [(one, _since(one)) for one in parked_in(parts, company, entity)]
    found = [(one, since) for one, since in found if due(since) and _may_ever(since)]
    if not found:
        return 0
    try:
        # Before the instance was looked at, its column lengths are not known.
        if parts.preflight.refusal(entity) is not None:
            return 0
        now = _found_now(parts, company, entity, {thing for _, since in found for thing in since.about})
    except StorageUnavailable:
        raise
    except Outage:
        return 0  # the next rescue asks again
    held = parts.held_against(company)
    fitting = [one for one, since in found if may_fit(since, held, now)]
    return replay(parts, fitting, BY_ITSELF, Origin.RETRY).count


def _since(one: Parked) -> ParkedSince:
    about = {tuple(reason["about"]): str(reason["found"]) for reason in one.reasons if reason.get("about")}
    return ParkedSince(codes_of(one), one.state.held, about, one.state.releases, one.age)


def _may_ever(since: ParkedSince) -> bool:
    return bool(since.about) or not (CAUSES | SAID).isdisjoint(since.codes)


def _found_now(parts: Parts, company: Company, entity: Entity, things: Iterable[Thing]) -> Mapping[Thing, str]:
    """What the things are found to be now, each asked for once, whatever number of documents they stand in the way of."""
    by_kind: dict[str, list[Thing]] = {}
    for thing in things:
        by_kind.setdefault(thing[0], []).append(thing)

    def codes(kind: str) -> list[str]:
        return sorted(thing[1] for thing in by_kind.get(kind, ()))

    wanted = Wanted(
        values="dimension" in by_kind or "dimension value" in by_kind,
        accounts="account" in by_kind,
        window="posting window" in by_kind,
        vendors=frozenset(codes("vendor")),
        cost_centres=frozenset(codes("cost centre")),
    )
    references = gather(parts, company, wanted, FRESH)
    suppliers = parts.suppliers.names(company.erp_source, codes("supplier"))
    shared = parts.suppliers.shared(codes("supplier name"))
    states = parts.ledger.states(partition(company.key, entity), codes("document"))
    return {
        thing: found_text(
            thing,
            references,
            suppliers,
            {name: name in shared for name in codes("supplier name")},
            {id_: twin_text(s.status, s.bc_status, s.vendor, s.vendor_invoice) for id_, s in states.items()},
        )
        for kind in by_kind.values()
        for thing in kind
    }

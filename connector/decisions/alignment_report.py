"""The alignment report: where cost centres of ServiceNow and dimension values of Business Central differ as they are now, since
when, and which open documents that would stop.

It tells every difference, whoever owns what: an owner's word decides what is written, not what is so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from connector.decisions.alignment_actions import Conflict, Rules
from connector.decisions.alignment_attributes import is_closed
from connector.decisions.alignment_draft import Draft
from connector.decisions.alignment_pairs import USABLE, Pair, Pairing, code_of, pair_up
from connector.decisions.alignment_parents import report_faults
from connector.decisions.begin_totals import tree
from connector.decisions.hierarchy import Forest, forest, nearest
from connector.model.alignment import CostCentre, MappingRow, Value
from connector.model.checks import Warehouse
from connector.model.codes import as_code

Side = Literal["servicenow", "business_central"]
Attribute = Literal["name", "parent", "blocked", "validity"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute of a pair. `changed`: the side that left what was agreed, "" when that is not known or both did. `since`:
    the difference is at least as old as that; None when no stamp tells."""

    code: str
    sys_id: str
    attribute: Attribute
    servicenow: str
    business_central: str
    changed: Side | Literal[""] = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """What one side has and the other lacks; `missing_in` is the other. `since`: as in `Difference`."""

    code: str
    sys_id: str
    name: str
    missing_in: Side
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A cost centre that an open document names, and the warehouse it is named for; "" for none."""

    number: str
    cost_centre: str
    warehouse: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A document that would be parked. `codes`: with these reasons, as validation calls them."""

    document: OpenDocument
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Demands:
    """What documents have to meet besides: `warehouses` as the checks file has them, `words` by which ServiceNow is asked for a
    cost centre where they are not BC's code (the translations file), and `found_by`, the column it is looked for in; "" is the
    one that alignment goes by."""

    warehouses: Mapping[str, Warehouse] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    found_by: Literal["", "code", "account_number"] = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything in the order of codes; `conflicts`: what keeps cost centres from being told apart or paired."""

    differences: tuple[Difference, ...]
    missing: tuple[Missing, ...]
    conflicts: tuple[Conflict, ...]
    stopped: tuple[Stopped, ...]

    @property
    def aligned(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.differences or self.missing or self.conflicts or self.stopped)


def report(
    cost_centres: Iterable[CostCentre],
    values: Iterable[Value],
    mapping: Iterable[MappingRow],
    rules: Rules,
    today: date,
    documents: Iterable[OpenDocument] = (),
    demands: Demands | None = None,
) -> Report:
    """The report. Documents are judged as of today, as their posting dates may still change."""
    centres, here = tuple(cost_centres), {as_code(one.code): one for one in values}
    pairing = pair_up(centres, here.values(), mapping, rules.code_column)
    woods = forest(centres)
    parents = _parents(pairing, woods, here)
    differences = [one for pair in pairing.pairs for one in _differences(pair, parents, today)]
    stopped = _stopped(documents, demands or Demands(), centres, here, rules, today)
    faults = Draft(rules, today, ())
    report_faults(faults, woods, {one.sys_id: one for one in centres})
    conflicts = (*pairing.conflicts, *faults.conflicts)
    return Report(tuple(differences), tuple(_missing(pairing, rules, today)), conflicts, tuple(stopped))


Parents = tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]
"""The code of each pair's parent: as ServiceNow has it, as BC's ranges have it, and as it was agreed; "" for none."""


def _parents(pairing: Pairing, woods: Forest, here: Mapping[str, Value]) -> Parents:
    codes = {pair.centre.sys_id: as_code(pair.value.code) for pair in pairing.pairs}
    near = nearest(woods.parents, codes)
    there = {code: codes.get(near[sys_id], "") for sys_id, code in codes.items()}
    agreed = {codes[pair.row.sys_id]: codes.get(pair.row.parent, "") for pair in pairing.pairs if pair.row}
    return there, nearest(tree(here).parents, frozenset(codes.values())), agreed


def _differences(pair: Pair, parents: Parents, today: date) -> Iterable[Difference]:
    centre, value, row = pair.centre, pair.value, pair.row
    code = as_code(value.code)
    there, here = centre.name.strip(), value.name.strip()
    if there != here:
        yield _difference(pair, "name", there, here, *((there != row.name, here != row.name) if row else ()))
    above, around, agreed = (each.get(code, "") for each in parents)
    if above != around:
        yield _difference(pair, "parent", above, around, *((above != agreed, around != agreed) if row else ()))
    closed = is_closed(centre, today)
    if value.blocked and not closed:
        yield _difference(pair, "blocked", "open", "blocked", *((row.blocked, not row.blocked) if row else ()))
    if not value.blocked and centre.available is False:
        yield _difference(
            pair, "blocked", "not available for use", "open", *((not row.blocked, row.blocked) if row else ())
        )
    if not value.blocked and not _is_valid(centre, today):
        yield _difference(pair, "validity", _span(centre), "open")


def _difference(
    pair: Pair,
    attribute: Attribute,
    servicenow: str,
    business_central: str,
    there_left: bool = False,
    here_left: bool = False,
) -> Difference:
    """The stamps are those of whole records. A side that left what was agreed did so before it was written last; when it is not
    known which side did, the difference is there since the later of both was written, at the latest."""
    there, here = pair.centre.updated, pair.value.modified
    changed: Side | Literal[""] = ""
    since = max(there, here) if there and here else None
    if there_left != here_left:
        changed, since = ("servicenow", there) if there_left else ("business_central", here)
    code = as_code(pair.value.code)
    return Difference(code, pair.centre.sys_id, attribute, servicenow, business_central, changed, since)


def _missing(pairing: Pairing, rules: Rules, today: date) -> list[Missing]:
    """Closed ones are not missed."""
    missing = [
        Missing(code_of(one, rules.code_column), one.sys_id, one.name.strip(), "business_central", one.updated)
        for one in pairing.centres
        if not is_closed(one, today)
    ]
    gone = [(row.sys_id, value) for row, value in pairing.gone if value.type in USABLE]
    missing += [
        Missing(as_code(value.code), sys_id, value.name.strip(), "servicenow", value.modified)
        for sys_id, value in [*gone, *(("", value) for value in pairing.values)]
        if not value.blocked
    ]
    return sorted(missing, key=lambda one: (one.code, one.missing_in, one.sys_id))


def _stopped(
    documents: Iterable[OpenDocument],
    demands: Demands,
    centres: Iterable[CostCentre],
    here: Mapping[str, Value],
    rules: Rules,
    today: date,
) -> list[Stopped]:
    found: dict[str, list[CostCentre]] = defaultdict(list)
    for one in centres:
        found[code_of(one, demands.found_by or rules.code_column)].append(one)
    stopped = []
    for document in documents:
        codes = _warehouse_codes(document, demands)
        rule = demands.warehouses.get(document.warehouse)
        code = as_code(document.cost_centre or (rule.fill if rule else ""))
        if code:
            codes += _value_codes(here.get(code))
            codes += _cost_centre_codes(found.get(as_code(demands.words.get(code, code)), []), today)
        if codes:
            stopped.append(Stopped(document, tuple(codes)))
    return sorted(stopped, key=lambda one: (one.document.number, one.document.cost_centre, one.document.warehouse))


def _warehouse_codes(document: OpenDocument, demands: Demands) -> list[str]:
    if not (demands.warehouses and document.warehouse):
        return []
    rule = demands.warehouses.get(document.warehouse)
    if rule is None:
        return ["WAREHOUSE_WITHOUT_RULE"]
    allowed = not rule.cost_centres or (document.cost_centre or rule.fill) in rule.cost_centres
    return [] if allowed else ["WAREHOUSE_COST_CENTRE_WRONG"]


def _value_codes(value: Value | None) -> list[str]:
    if value is None:
        return ["DIMENSION_VALUE_MISSING"]
    if value.type not in USABLE:
        return ["DIMENSION_VALUE_NOT_FOR_POSTING"]
    return ["DIMENSION_VALUE_BLOCKED"] if value.blocked else []


def _cost_centre_codes(found: Iterable[CostCentre], today: date) -> list[str]:
    """Several may share a code; one that can be used is enough."""
    found = list(found)
    if not found:
        return ["COST_CENTRE_UNKNOWN"]
    open_ = [one for one in found if one.available is not False]
    if not open_:
        return ["COST_CENTRE_INACTIVE"]
    return [] if any(_is_valid(one, today) for one in open_) else ["COST_CENTRE_NOT_VALID"]


def _is_valid(centre: CostCentre, today: date) -> bool:
    begun = centre.valid_from is None or centre.valid_from <= today
    return begun and (centre.valid_to is None or today <= centre.valid_to)


def _span(centre: CostCentre) -> str:
    first = f"from {centre.valid_from}" if centre.valid_from else ""
    last = f"to {centre.valid_to}" if centre.valid_to else ""
    return f"valid {first} {last}".replace("  ", " ").strip()

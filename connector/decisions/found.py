"""Found: what was found out about a thing that stands in a document's way, as a short text.

It is kept with the reason a document is parked for. When the same thing reads differently later, the document is worth another
look; while it reads the same, looking would only come to the same end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

from connector.model.references import References

MISSING = "missing"
SHARED, SINGLE = "shared", "single"


def facts_text(facts: object) -> str:
    """What is known of one thing, as text; "missing" when it does not exist."""
    if facts is None or facts == ():
        return MISSING
    if isinstance(facts, tuple):
        return "; ".join(facts_text(one) for one in facts)
    if is_dataclass(facts):
        return ", ".join(f"{one.name} {facts_text(getattr(facts, one.name))}" for one in fields(facts))
    return str(facts)


def found_text(
    about: Sequence[str],
    references: References,
    suppliers: Mapping[str, Sequence[str]],
    shared_names: Mapping[str, bool],
    statuses: Mapping[str, str],
) -> str:
    """What is found about the thing now. `about`: its kind and its code or codes. `suppliers`: per vendor number, ServiceNow's
    names; `shared_names`: whether several suppliers carry a name; `statuses`: of documents by id."""
    match tuple(about):
        case ("dimension", code):
            return facts_text("known" if code in references.dimensions else None)
        case ("dimension value", dimension, value):
            return facts_text(references.values.get((dimension, value)))
        case ("account", number):
            return facts_text(references.accounts.get(number))
        case ("vendor", number):
            return facts_text(references.vendors.get(number))
        case ("posting window",):
            return facts_text(references.window)
        case ("cost centre", code):
            return facts_text(references.cost_centres.get(code))
        case ("supplier", number):
            return facts_text(tuple(suppliers.get(number, ())))
        case ("supplier name", name):
            return SHARED if shared_names.get(name, False) else SINGLE
        case ("document", id_):
            return facts_text(statuses.get(id_))
        case _:
            raise ValueError(f"nothing is called {about}")

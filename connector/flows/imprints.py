"""Imprints: what is remembered of the version that ServiceNow has, where a later one may have to be held back."""

from __future__ import annotations

from connector.decisions.frozen import guards, imprint
from connector.decisions.mapping import MappedDocument
from connector.flows.parts import Parts
from connector.model.documents import Entity
from connector.storage.ledger_rows import State


def imprint_of(parts: Parts, entity: Entity, mapped: MappedDocument, state: State) -> str:
    """The imprint of a version that was just verified; "" on a route that holds nothing back."""
    if not guards(parts.profile.routes[entity.value].tracking):
        return ""
    return imprint(mapped, f"{state.amount} {state.currency}", state.intents)

"""Release: which parked documents are worth another look although nobody touched them.

Three things outside a document decide over it. Column lengths, translation tables and checks: a parked document remembers, as
a short hash, what it was held against. Master data: each reason remembers what was found about the thing it is about. And what
the other systems said of the document themselves, which they may not say again: that is tried a few times.

Each time a document goes and comes back it waits longer for the next time, up to six hours, so that something that changes to
and fro cannot keep it going round.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from connector.decisions.severity import SEVERITY
from connector.decisions.translation import MISSING_CODES
from connector.model.checks import Checks
from connector.model.profile import Profile, Translations

CAUSES = MISSING_CODES | frozenset(SEVERITY) | {"TEXT_TOO_LONG"}
"""Reasons that lie in what a document is held against, the severity of the reason included."""
SAID = frozenset(("REJECTED_BY_SERVICENOW", "DOCUMENT_NOT_READABLE_IN_BC"))
"""Reasons that another system gave in its own words: only asking again tells whether it still says so."""
MOST_TRIES = 6
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
GROWTH = 4.0


def held_against(profile: Profile, translations: Translations, checks: Checks) -> str:
    """A short hash of what decides over documents besides themselves. `profile`: with the instance's own lengths."""
    limits = {
        f"{name} {table.table} {column}": rule.max
        for name, route in profile.routes.items()
        for table in route.tables
        for column, rule in table.columns.items()
    }
    content = [limits, profile.missing_translation, translations.model_dump(), checks.model_dump()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ParkedSince:
    """A parked document, as far as going on by itself is concerned. `held`: what it was held against; `about`: what each thing
    outside it was found to be; `tries`: how often it went on by itself and came back; `age`: how long it has been parked."""

    codes: frozenset[str]
    held: str
    about: Mapping[tuple[str, ...], str]
    tries: int
    age: timedelta


def due(parked: ParkedSince) -> bool:
    """Whether enough time has passed for another look."""
    return parked.age >= wait_after(parked.tries)


def wait_after(tries: int) -> timedelta:
    """How long to leave alone what was tried so often and came back."""
    return min(FIRST_WAIT * GROWTH ** min(tries, 10), LONGEST_WAIT)


def may_fit(parked: ParkedSince, held: str, found: Mapping[tuple[str, ...], str]) -> bool:
    """Whether the document should go again. `held`: what it would be held against now; `found`: what things are found to be
    now, those that could be asked about."""
    if parked.held != held and not CAUSES.isdisjoint(parked.codes):
        return True
    if any(thing in found and found[thing] != was for thing, was in parked.about.items()):
        return True
    return parked.tries < MOST_TRIES and not SAID.isdisjoint(parked.codes)

"""Release: which parked documents may fit now although nobody touched them, because what they were held against has changed.

Column lengths of the instance, the profile's own, and the translation tables decide over a document without being part of it. A
document that is parked for one of them remembers, as a short hash, what it was held against.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from connector.decisions.translation import MISSING_CODES
from connector.model.profile import Profile, Translations

CAUSES = MISSING_CODES | {"TEXT_TOO_LONG"}
"""Reasons that lie in what a document is held against."""


def held_against(profile: Profile, translations: Translations) -> str:
    """A short hash of what decides over documents besides themselves. `profile`: with the instance's own lengths."""
    limits = {
        f"{name} {table.table} {column}": rule.max
        for name, route in profile.routes.items()
        for table in route.tables
        for column, rule in table.columns.items()
    }
    content = [limits, profile.missing_translation, translations.model_dump()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def may_fit(codes: Iterable[str], held: str, now: str) -> bool:
    """Whether a document parked for these reasons should be looked at again. `held`: what it was held against then."""
    return held != now and not CAUSES.isdisjoint(codes)

"""Reasons on record: as many as a column holds, as plain data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from connector.errors import Reason

MOST_TEXT = 12_000
"""Characters of JSON; below the length at which a column's text is cut, because half a list could not be read back."""


def codes_in(text: str) -> frozenset[str]:
    """The codes of the reasons in a state's column."""
    return frozenset(reason["code"] for reason in json.loads(text or "[]"))


def fitting(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    """The first reasons that fit, as mappings; what is left out is counted in a last one."""
    kept = [asdict(reason) for reason in reasons]
    while len(json.dumps(kept)) > MOST_TEXT:
        kept.pop()
    if len(kept) < len(reasons):
        more = f"{len(reasons) - len(kept)} more reasons of the same document are not listed."
        kept.append(asdict(Reason("MORE_REASONS", more, "Correct the listed ones first, then replay.")))
    return kept

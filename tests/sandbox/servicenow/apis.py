"""The names of the REST APIs, as rate rules, access policies, properties and error texts call them."""

from __future__ import annotations

import re

TABLE, IMPORT, AGGREGATE, ATTACHMENT, BATCH = (
    "Table API",
    "Import Set API",
    "Aggregate API",
    "Attachment API",
    "Batch API",
)
_NOW = r"/api/now/(?:v\d/)?"
_NAMES = (
    (re.compile(f"{_NOW}table/"), TABLE),
    (re.compile(f"{_NOW}import/"), IMPORT),
    (re.compile(f"{_NOW}stats/"), AGGREGATE),
    (re.compile(f"{_NOW}attachment"), ATTACHMENT),
    (re.compile(f"{_NOW}batch"), BATCH),
    (re.compile(r"/api/sn_spend_intg/(?:v\d/)?ap_invoice"), "AP Invoice"),
    (re.compile(r"/api/sn_spend_intg/(?:v\d/)?spendint"), "Spendint"),
)
_TABLE_NAME = re.compile(f"{_NOW}(?:table|import|stats)/([^/]+)")


def name_of(path: str) -> str:
    """The API behind a path; empty for those without a name here."""
    return next((name for pattern, name in _NAMES if pattern.match(path)), "")


def table_of(path: str) -> str:
    """The table a path addresses; empty when it addresses none."""
    found = _TABLE_NAME.match(path)
    return found[1] if found else ""

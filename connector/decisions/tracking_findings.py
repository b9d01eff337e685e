"""Findings about a table in which the profile follows what became of documents.

None of them stops writes. New documents need no look at it. An edit of a document that may be frozen waits, edit by edit, as
long as its record's state cannot be told: it would overwrite what somebody has approved. So what is wrong here is a warning,
which says that edits wait where they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from connector.decisions.findings import Finding, hint, ok, warn
from connector.decisions.frozen import guards
from connector.model.catalog import TableFacts
from connector.model.profile import Tracking

Visible = Literal["open", "empty", "closed", "no table", "no column"]
"""What a user sees of a followed table: a record with its state, no record because there is none, none of those there are, or
records without the state."""


def about_tracking(tracking: Tracking, known: TableFacts, visible: Visible) -> Iterator[Finding]:
    """Whether the user can follow the column, and it has the values that the profile freezes. `known`: what the instance
    says of the table."""
    name, columns = tracking.table, known.columns or ()
    column = next((column for column in columns if column.name == tracking.state), None)
    what = {
        "open": "",
        "empty": f"there is no column {tracking.state}{hint(tracking.state, columns)}"
        if columns and not column
        else "",
        "closed": "its records are hidden from the user, who cannot follow them",
        "no table": "there is no such table, so nothing is followed",
        "no column": f"{tracking.state} or sys_updated_on is missing, or hidden from the user"
        + (hint(tracking.state, columns) if not column else ""),
    }[visible]
    if what:
        waits = "; edits of documents that ServiceNow has wait, as they might overwrite approved ones"
        yield warn(
            "TRACKING_UNREADABLE",
            name,
            what + (waits if guards(tracking) else ""),
            "Let the user read the table (role sn_shop.procurement_common_reader, say), or correct tracking in the profile.",
        )
        return
    unknown = [value for value in tracking.frozen if column and column.choices and value not in column.choices]
    if unknown:
        yield warn(
            "FROZEN_NOT_A_CHOICE",
            name,
            f"{tracking.state} never becomes {', '.join(map(repr, unknown))}, so that this freezes nothing; its choices are "
            f"{', '.join(((column and column.choices) or ())[:20])}",
            "Use the stored values of these choices in tracking.frozen, not their labels.",
        )
        return
    frozen = f"; frozen from {', '.join(tracking.frozen)} on" if guards(tracking) else ""
    yield ok("TRACKED", name, f"{tracking.state} {'can be' if visible == 'open' else 'will be'} followed{frozen}")

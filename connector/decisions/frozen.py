"""Frozen: what becomes of a change in BC whose record in ServiceNow has come too far to be changed from outside.

To say what a change that is not sent would have changed, an imprint is kept of the version that ServiceNow has: a short hash
for each column of each table, over all its rows, and one for each line. It names columns and lines and shows no value; the
document's amount is the exception, since it is what a clerk asks first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from connector.decisions.mapping import MappedDocument, StagingRow
from connector.errors import Reason
from connector.model.profile import Tracking

REASON = "FROZEN_IN_SERVICENOW"
DIGITS = 6
MOST_LINES = 1000
"""The lines of a longer document are not told apart: its imprint must fit into its row."""
MOST_NAMED = 50
"""The columns and lines that are named of a change; the rest is counted."""

Verdict = Literal["send", "report", "park"]
Imprint = Mapping[str, Any]


def verdict(tracking: Tracking, state: str) -> Verdict:
    """What becomes of a change of a document whose record stands there."""
    return tracking.when_frozen if state in tracking.frozen else "send"


def guards(tracking: Tracking | None) -> bool:
    """Whether anything is ever held back: only then are states looked up, and imprints kept."""
    return tracking is not None and bool(tracking.frozen) and tracking.when_frozen != "send"


def imprint(mapped: MappedDocument, amount: str, intents: int) -> str:
    """What is remembered of a version, in a few hundred characters. `amount`: with its currency; `intents`: how often rows were
    about to be sent by then. With the next intent the imprint is void: nobody knows then which version ServiceNow has."""
    rows = _present(mapped)
    lines = _lines(rows)
    kept = {
        "payload": mapped.payload_hash,
        "amount": amount,
        "intents": intents,
        "tables": {table: _packed(columns) for table, columns in _columns(rows).items()},
        "lines": lines if len(lines) <= MOST_LINES else {},
    }
    return json.dumps(kept, separators=(",", ":"))


def imprinted(kept: str, intents: int) -> Imprint | None:
    """The kept imprint; None when there is none, or it is void."""
    found: Imprint | None = json.loads(kept) if kept else None
    return found if found is not None and found["intents"] == intents else None


def differences(before: Imprint, mapped: MappedDocument) -> dict[str, object]:
    """Which columns and lines of the version that ServiceNow has a newer one would change."""
    rows = _present(mapped)
    after, lines = _columns(rows), _lines(rows)
    known: Mapping[str, str] = before["lines"]
    added = [each for each in lines if known and each not in known]
    removed = [each for each in known if each not in lines]
    # Where lines came or went, every column of theirs is another: the lines say it better.
    by_line = {row.table for row in rows if row.where} if added or removed else set()
    columns = []
    for table in sorted({*before["tables"], *after} - by_line):
        was, now = before["tables"].get(table), after.get(table)
        if was is None or now is None:
            columns.append(f"{table}: all")
        elif was[0] != _names(now):
            columns.append(f"{table}: the profile has other columns now")
        else:
            hashes = {name: was[1][place * DIGITS :][:DIGITS] for place, name in enumerate(sorted(now))}
            columns += [f"{table}.{name}" for name in sorted(now) if hashes[name] != now[name]]
    found = {
        "columns": _named(columns),
        "lines": _named([each for each in lines if each in known and known[each] != lines[each]]),
        "lines added": _named(added),
        "lines removed": _named(removed),
    }
    return {name: said for name, said in found.items() if said}


def frozen_reason(number: str, label: str, *, gone: bool) -> Reason:
    """Why the document is parked."""
    what = "was deleted" if gone else "was changed"
    return Reason(
        REASON,
        f"{number} {what} in Business Central after its record in ServiceNow had become {label}, and such a record must not be "
        "changed from outside. ServiceNow still shows the document as it was before.",
        "Decide which of the two is right. If it is Business Central, set the record in ServiceNow back (reject it, or back to "
        "draft): the newest version then goes out by itself. If it is ServiceNow, undo the change in Business Central, or "
        "discard this document.",
    )


def missing_reason(number: str, table: str) -> Reason:
    """Why a document is parked whose record cannot be found any more."""
    return Reason(
        "RECORD_NOT_FOUND",
        f"{number} was changed in Business Central, and its record in ServiceNow ({table}) is not to be found: it was deleted, "
        "or the connector's user may not see it. A write would make it anew.",
        "If it was deleted by mistake, replay this document: it is made anew. If it was deleted on purpose, discard this "
        "document. If it is there, let the connector's user read it, then replay.",
    )


def _present(mapped: MappedDocument) -> list[StagingRow]:
    return [row for row in mapped.rows if not row.removed]


def _columns(rows: Sequence[StagingRow]) -> dict[str, dict[str, str]]:
    """Per table, a hash for each of its columns."""
    tables: dict[str, list[StagingRow]] = {}
    for row in rows:
        tables.setdefault(row.table, []).append(row)
    found = {}
    for table, members in tables.items():
        names = {name for row in members for name in row.names}
        members.sort(key=lambda row: row.key)
        found[table] = {name: _hash([*row.key, _text(row, name)] for row in members) for name in names}
    return found


def _lines(rows: Sequence[StagingRow]) -> dict[str, str]:
    """Per line, by sequence number, a hash of its rows."""
    lines: dict[str, list[list[str]]] = {}
    for row in rows:
        if row.where:
            texts = [row.table, *(part for name in sorted(row.names) for part in (name, _text(row, name)))]
            lines.setdefault(row.where, []).append(texts)
    return {where: _hash(texts) for where, texts in sorted(lines.items(), key=lambda item: int(item[0]))}


def _text(row: StagingRow, name: str) -> str:
    # An empty column may be sent as the word that empties it: that is no difference.
    return "" if name in row.empty else row.columns.get(name, "")


def _packed(columns: Mapping[str, str]) -> tuple[str, str]:
    """The columns' hashes in the order of their names, and a hash of the names."""
    return _names(columns), "".join(columns[name] for name in sorted(columns))


def _names(columns: Iterable[str]) -> str:
    return _hash([sorted(columns)])


def _hash(texts: Iterable[Sequence[str]]) -> str:
    content = json.dumps([list(each) for each in texts], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]


def _named(names: Sequence[str]) -> str:
    listed = ", ".join(names[:MOST_NAMED])
    return listed if len(names) <= MOST_NAMED else f"{listed} and {len(names) - MOST_NAMED} more"

"""The daily digest for people: a subject and a plain text, and the message in which both travel with the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from textwrap import wrap

from connector.decisions.digest import ALL, Cause, Digest, Room, as_data, frequency, shown
from connector.decisions.states import Status
from connector.model.money import plain_text

WIDTH = 120
MOST_BYTES = 32 * 1024
ROOMS = (Room(50, 20), Room(50, 10), Room(20, 10), Room(20, 5), Room(10, 3), Room(5, 2), Room(1, 1), Room(0, 0))
"""Tried one after the other, until the message is small enough. With the last one it always is."""
VERSION = 1
_WORDS = {
    Status.WAITING: "not to be carried yet",
    Status.PENDING: "on their way",
    Status.CLAIMED: "in work",
    Status.DONE: "in ServiceNow",
    Status.PARKED: "parked",
    Status.SUPERSEDED: "superseded",
    Status.CLOSED: "closed",
    Status.DISCARDED: "given up",
}


def message(digest: Digest) -> str:
    """The digest as one message for a mail or chat rule: JSON of at most 32 KiB in UTF-8."""
    for room in ROOMS:
        body = {"v": VERSION, "subject": subject(digest), "text": text(digest, room), "digest": as_data(digest, room)}
        written = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        if len(written.encode()) <= MOST_BYTES:
            return written
    raise ValueError("a digest without any list is too large")


def subject(digest: Digest) -> str:
    """One line: how many documents are parked, and the most frequent causes."""
    unreadable = f"; {_count(digest.unreadable, 'unreadable message')}" if digest.unreadable else ""
    if not digest.parked:
        return f"Nothing is parked{unreadable}"
    totals: dict[str, int] = {}
    for place in digest.places:
        for cause in place.causes:
            totals[cause.code] = totals.get(cause.code, 0) + cause.count
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    for most in (3, 2, 1, 0):
        named = [f"{count} x {code}" for code, count in ordered[:most]]
        others = len(ordered) - len(named)
        if others:
            named.append(_count(others, "other cause" if most else "cause"))
        line = f"{_count(digest.parked, 'document')} parked: {', '.join(named)}{unreadable}"
        if len(line) <= WIDTH:
            break
    return line


def text(digest: Digest, room: Room = ALL) -> str:
    """What somebody in accounts payable wants to know, in lines of at most 120 characters."""
    lines = [f"Business Central to ServiceNow, {_moment(digest.at)}", ""]
    lines += _parked(digest, room) if digest.parked else ["Nothing is parked."]
    lines += ["", *_since(digest)]
    if digest.unreadable:
        came = _count(digest.unreadable, "message")
        lines += ["", f"{came} on the documents queue could not be read. To see them: python -m connector unreadable"]
    lines += ["", "Where all documents stand:", *_standing(digest, room)]
    lines += ["", "Seals of the ledger (keep them where nobody can change them):", *_seals(digest, room)]
    return "\n".join(piece for line in lines for piece in _wrapped(line)) + "\n"


def _parked(digest: Digest, room: Room) -> Iterable[str]:
    verb = "is" if digest.parked == 1 else "are"
    yield f"{_count(digest.parked, 'document')} {verb} parked: what is wrong has to be mended before they can go on."
    causes = sorted((cause for place in digest.places for cause in place.causes), key=frequency)
    for cause in causes[: room.causes]:
        yield ""
        yield from _cause(cause)
    if len(causes) > room.causes:
        yield ""
        yield f"{_count(len(causes) - room.causes, 'more cause')} not listed here. All of them: python -m connector parked"
    yield ""
    yield "Parked for the longest time:"
    for place, one in digest.longest:
        yield f"  {one.name} ({place.entity} in {place.company}): {age(one.age)}, {', '.join(one.codes[:3])}"


def _cause(cause: Cause) -> Iterable[str]:
    amounts = "".join(f", {plain_text(amount)} {currency}" for currency, amount in cause.amounts.items())
    left = cause.count - len(cause.numbers)
    number, message, remedy = cause.example
    yield f"{cause.code}: {cause.count} x {cause.entity} in {cause.company}{amounts}, oldest {age(cause.oldest)}"
    yield f"  Documents: {', '.join(cause.numbers)}{f' and {left} more' if left else ''}"
    yield f"  Wrong: {message}" if message else f"  What is wrong with it: python -m connector parked {number}"
    yield f"  To do: {remedy}"


def _since(digest: Digest) -> Iterable[str]:
    if digest.since is None:
        yield f"Parked in the last 24 hours: {digest.fresh}."
        return
    yield f"Since the last digest ({_moment(digest.since)}):"
    yield f"  newly parked: {digest.fresh}"
    if digest.resolved is not None:
        total = sum(digest.resolved.values())
        yield f"  no longer parked: {total}{f' ({_states(digest.resolved)})' if total else ''}"


def _standing(digest: Digest, room: Room) -> Iterable[str]:
    for place in shown(digest, room):
        yield f"  {place.entity} in {place.company}: {place.seen} seen{f', {_states(place.counts)}' if place.seen else ''}"
    yield from _left_out(digest, room)


def _seals(digest: Digest, room: Room) -> Iterable[str]:
    for place in shown(digest, room):
        yield f"  {place.company} {place.entity} {place.seen}"
        yield f"  {place.head}"
    yield from _left_out(digest, room)


def _left_out(digest: Digest, room: Room) -> Iterable[str]:
    if len(digest.places) > room.places:
        yield f"  and {len(digest.places) - room.places} more that are not listed here"


def _states(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[status]} {_WORDS[status]}" for status in Status if counts.get(status))


def _wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    return wrap(line, WIDTH, subsequent_indent=f"{indent}  ", break_on_hyphens=False) or [""]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def age(span: timedelta) -> str:
    """Days and hours, or hours and minutes."""
    hours, rest = divmod(int(span.total_seconds()), 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {rest // 60} min"

"""Receive: the handshakes and change notifications that Business Central sends to the webhook address.

A notification is a hint. It becomes references or requests for a poll on the documents queue; it is answered when they are
there. Business Central deletes a subscription after any answer but a success, 408, 429 or a 5xx ("Working with webhooks in
Business Central"), so there are two answers: 200, whatever arrived, and 503 when something could not be stored: then it is
sent again later. Whoever sends what is not believed cannot tell it from the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connector.decisions.client_state import known_path
from connector.decisions.notices import Notices, read_notices
from connector.errors import Outage
from connector.flows.messages import ask_for_overdue_poll, ask_for_poll, send_units
from connector.flows.parts import Parts
from connector.model.feeds import Feed
from connector.model.subscriptions import Scope
from connector.model.units import Origin
from connector.setting_words import Company
from connector.telemetry import Telemetry

MAX_TOKEN_BYTES = 4096
NOTICED_APART = 30.0
"""Seconds between two records of a scope's notifications: as far as Business Central's own are apart."""
HEADERS: Mapping[str, str] = {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the webhook address, of whatever method. `key`: the address's last part; `token`: the ``validationToken``
    of its query, None without one; `encoding`: the Content-Encoding of its body."""

    key: str
    body: bytes = b""
    token: str | None = None
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer: always the same headers, a body only for a handshake."""

    status: Literal[200, 503]
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)


TAKEN = Reply(200)
NOT_TAKEN = Reply(503)


def answer(parts: Callable[[], Parts], call: Call) -> Reply:
    """The answer to a call, also where the parts cannot be had or something happens that nobody foresaw. Never raises."""
    try:
        return receive(parts(), call)
    except Exception as error:  # noqa: BLE001 - what the host makes of an exception could cost a subscription
        Telemetry().warning("not_taken", error=type(error).__name__)
        return NOT_TAKEN


def receive(parts: Parts, call: Call) -> Reply:
    """Answers a handshake, or puts what a notification tells on the documents queue."""
    if not known_path(call.key, parts.settings.webhook_keys):
        parts.telemetry.event("notified", outcome="unknown address")
        return TAKEN
    try:
        return _take(parts, call) if call.token is None else _shake_hands(parts, call.token)
    except Outage as outage:
        parts.telemetry.warning("not_taken", system=outage.system, error=type(outage).__name__)
        return NOT_TAKEN


def _shake_hands(parts: Parts, token: str) -> Reply:
    """Repeats the token, as long as we have asked for it ourselves: anything else would be an echo for anybody's use."""
    outcome, reply = "not asked for", TAKEN
    if not _fit_to_echo(token):
        outcome = "no token"
    elif parts.registry.handshake_under_way():
        outcome, reply = "echoed", Reply(200, token)
    parts.telemetry.event("handshake", outcome=outcome)
    return reply


def _fit_to_echo(token: str) -> bool:
    # Printable leaves out control characters and line ends, marks of direction and byte order, and halves of characters.
    return token.isprintable() and 1 <= len(token.encode()) <= MAX_TOKEN_BYTES


def _take(parts: Parts, call: Call) -> Reply:
    watched = parts.feeds()
    carried = frozenset(feed for _, feed in watched if parts.carried(feed))
    notices = read_notices(call.body, call.encoding, watched, carried, parts.settings.webhook_keys, parts.clock.now())
    polls = [place for place in watched if notices.gap or Scope(place[0].key, place[1]) in notices.polls]
    correlation = parts.randomness.token()
    for company, feed in watched:
        entity, references = parts.carried(feed), notices.references.get(Scope(company.key, feed))
        if entity is not None and references:
            send_units(parts, company, entity, Origin.NOTIFICATION, correlation, references)
    for company, feed in polls:
        ask_for_poll(parts, company, feed)
    parts.telemetry.event(
        "notified",
        correlation=correlation,
        count=sum(map(len, notices.references.values())),
        polls=len(polls),
        forged=notices.dropped.get("forged", 0),
        unknown=notices.dropped.get("unknown", 0),
        malformed=notices.dropped.get("malformed", 0),
        outcome=notices.gap or "all",
    )
    _heard_from(parts, [place for place in watched if Scope(place[0].key, place[1]) in notices.heard], notices)
    return TAKEN


def _heard_from(parts: Parts, places: list[tuple[Company, Feed]], notices: Notices) -> None:
    """Puts on record that notifications come, and looks whether the polls behind them do."""
    try:
        for company, feed in places:
            scope = Scope(company.key, feed)
            if parts.pace.due(("noticed", scope), parts.clock.monotonic(), apart=NOTICED_APART):
                parts.registry.noticed(scope, notices.heard[scope])
            ask_for_overdue_poll(parts, company, feed)
    except Exception as error:  # noqa: BLE001 - what was told is on the queue: sending it again would mend nothing
        parts.telemetry.warning("notice_not_kept", count=len(places), error=type(error).__name__)

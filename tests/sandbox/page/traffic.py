"""What passed through both exchanges: counters, the last requests, and what the connector made of its documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import unquote_plus

from connector.decisions.states import Status
from connector.errors import Outage
from connector.flows.overview import Overview
from tests.sandbox.page import business_central, servicenow
from tests.sandbox.page.faults import fault_table
from tests.sandbox.page.frame import Missing, View, heading
from tests.sandbox.page.markup import Html, Number, badge, card, code, element, joined, table
from tests.sandbox.page.values import NOTHING, count, moment
from tests.sandbox.wire import LOG_LENGTH, Exchange, Passed

LONGEST_PATH = 200
PLACES = {"Business Central": business_central.PLACE, "ServiceNow": servicenow.PLACE}
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS")


def overview_body(
    view: View, exchanges: Mapping[str, Exchange], documents: Callable[[], Overview] | None
) -> tuple[str, Html]:
    """Both systems side by side, and the connector's own view when there is a connector."""
    cards = [_system(view, name, exchange) for name, exchange in exchanges.items()]
    connector = None if documents is None else _connector(documents)
    return "Overview", joined((heading(view, "Overview"), element("div", *cards, class_="cards"), connector))


def requests_body(view: View, exchanges: Mapping[str, Exchange]) -> tuple[str, Html]:
    """The last requests, newest first, of both systems or of one."""
    wanted = view.query.get("system", "")
    if wanted and wanted not in exchanges:
        raise Missing(f"no system {wanted}")
    passed = [(one, name) for name, exchange in exchanges.items() if wanted in {"", name} for one in exchange.recent()]
    passed.sort(key=lambda each: each[0].time, reverse=True)
    choices = [("Both", "")] + [(name, name) for name in exchanges]
    links = [
        element("a", title, href=view.same(system=value)) if value != wanted else element("b", title)
        for title, value in choices
    ]
    rows = [_passed(one, name) for one, name in passed[:LOG_LENGTH]]
    headings = ["Time (UTC)", "System", "Method", "Path", Number("Status"), "Fault"]
    body = element("section", element("nav", *links, class_="pager", aria_label="Systems"), table(headings, rows))
    return "Requests", joined((heading(view, "Last requests"), body))


def _passed(one: Passed, system: str) -> list[object]:
    at = datetime.fromtimestamp(one.time, UTC)
    return [
        element("span", at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}", class_="nowrap"),
        element("span", system, class_="nowrap"),
        one.method,
        _path(one.path),
        _status(one.status),
        badge(one.fault, "bad") if one.fault else "",
    ]


def _path(raw: bytes) -> Html:
    path = unquote_plus(raw.decode("ascii", "replace"), errors="replace")
    if len(path) <= LONGEST_PATH:
        return code(path)
    return element("code", f"{path[:LONGEST_PATH]}…", title=path)


def _status(status: int) -> Html:
    if not status:
        return badge("cut", "bad")
    mood = (
        "good"
        if status < HTTPStatus.MULTIPLE_CHOICES
        else "warn"
        if status < HTTPStatus.INTERNAL_SERVER_ERROR
        else "bad"
    )
    return badge(str(status), mood)


def _system(view: View, name: str, exchange: Exchange) -> Html:
    counts = dict(exchange.counts)
    met = sum(number for kind, number in counts.items() if kind.startswith("fault:"))
    figures = {
        "requests": counts.get("requests", 0),
        "in flight": exchange.in_flight,
        "peak in flight": exchange.peak_in_flight,
        "met by a fault": met,
    }
    boxes = [element("div", element("b", count(number)), element("span", title)) for title, number in figures.items()]
    methods = [
        element("span", f"{method} ", element("b", count(counts[method]))) for method in METHODS if counts.get(method)
    ]
    return card(
        view.link(name, PLACES[name]),
        element("div", *boxes, class_="figures"),
        element("h3", "Requests by method"),
        element("div", *methods, class_="counts") if methods else element("p", "None yet.", class_="quiet"),
        element("h3", "Faults"),
        fault_table(exchange),
        element("p", view.link("Last requests", "requests", system=name), " · ", view.link("Add a fault", "faults")),
    )


def _connector(documents: Callable[[], Overview]) -> Html:
    try:
        seen = documents()
    except Outage as outage:
        return card("Connector", element("p", f"Its storage does not answer: {outage}", class_="alert"))
    used = [status for status in Status if any(one.counts[status] for one in seen.entities)]
    rows: list[Sequence[object]] = [
        [
            one.company.key,
            one.entity.value,
            *(count(one.counts[status]) if one.counts[status] else NOTHING for status in used),
            count(one.seen),
            ", ".join(f"{cause} {number}" for cause, number in one.causes.most_common()) or NOTHING,
            element("span", NOTHING if one.watermark is None else moment(one.watermark), class_="nowrap"),
        ]
        for one in seen.entities
    ]
    headings = ["Company", "Entity", *(Number(status.value.capitalize()) for status in used), Number("Seen")]
    queues = f"{count(seen.waiting_units)} units wait in the documents queue"
    said = f"{queues}, {count(seen.poison_messages)} messages in the poison queue."
    return card(
        "Connector: documents per state",
        table([*headings, "Why parked", "Watermark (UTC)"], rows),
        element("p", said, class_="quiet"),
    )

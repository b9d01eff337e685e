"""Endings: the verdict on a document that is gone, the rows that cancel it, and the reader of what it left behind."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.business_central.endings import EndingReader, Traces
from connector.business_central.session import BusinessCentralSession
from connector.decisions.endings import Ending, How, Trace, ending
from connector.decisions.mapping import Rules, map_document
from connector.decisions.versions import Remembered, cancellation, line_numbers
from connector.errors import DocumentFault, Outage, Refused
from connector.model.documents import Entity
from connector.model.profile import Route
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.tokens import TokenProvider
from tests.sandbox.clock import VirtualClock
from tests.sandbox.wire import Exchange, Router
from tests.unit.builders import COMPANY, SUPPLIERS, line, order, rules

# -- the verdict


@pytest.mark.parametrize(
    ("trace", "may_stand", "how"),
    [
        (Trace(invoiced=True, received=True), True, "invoiced"),
        (Trace(invoiced=True), True, "invoiced"),
        (Trace(invoiced=True), False, "invoiced"),
        (Trace(received=True), True, "received"),
        (Trace(received=True), False, "received"),
        (Trace(), True, "cancelled"),
        (Trace(), False, "deleted"),
    ],
)
def test_an_ending_is_told_from_what_was_left_and_what_was_sent(trace: Trace, may_stand: bool, how: How) -> None:
    assert ending(trace, may_stand=may_stand) == Ending(how)


@given(st.booleans(), st.booleans(), st.booleans())
def test_an_archive_is_named_and_changes_nothing(invoiced: bool, received: bool, may_stand: bool) -> None:
    without = ending(Trace(invoiced, received), may_stand=may_stand)
    archived = ending(Trace(invoiced, received, archived=True), may_stand=may_stand)
    assert archived == Ending(without.how, archived=True)


# -- the rows


def gone(*sent: int, entity: Entity = Entity.PURCHASE_ORDER) -> Remembered:
    document = order()
    return Remembered(entity, document.id, document.number, document.currency, sent)


def with_route(**changes: object) -> Rules:
    plain = rules()
    route = plain.profile.routes["purchaseOrders"].model_copy(update=changes)
    return Rules(
        plain.company, plain.profile.model_copy(update={"routes": {"purchaseOrders": route}}), plain.translations
    )


def test_a_cancelled_order_is_its_key_with_nothing_left_of_it() -> None:
    mapped = cancellation(gone(20000, 10000), rules())
    key = {"u_erp_source": "BC-US", "u_erp_po_number": order().number}
    nothing = {"u_quantity": "0", "u_unit_price": "0.00", "u_line_amount": "0.00", "u_tax_amount": "0.00"}
    assert [dict(row.columns) for row in mapped.rows] == [
        key | {"u_po_amount": "0.00"},
        key | {"u_erp_po_line_number": "10000"} | nothing,
        key | {"u_erp_po_line_number": "20000"} | nothing,
    ]
    assert line_numbers(mapped) == []


@given(st.sets(st.integers(min_value=1, max_value=10**6), max_size=20))
def test_a_cancellation_finds_the_very_rows_that_the_order_was_staged_as(sequences: set[int]) -> None:
    document = order(*(line(each) for each in sorted(sequences))) if sequences else order()
    staged = map_document(document, rules(), SUPPLIERS)
    sent = [int(row.where) for row in staged.rows if row.where]
    mapped = cancellation(gone(*sent), rules())
    assert [(row.table, row.key) for row in mapped.rows] == [(row.table, row.key) for row in staged.rows]
    assert mapped.payload_hash != staged.payload_hash
    assert mapped.payload_hash == cancellation(gone(), rules()).payload_hash


@pytest.mark.parametrize(
    ("changes", "sent", "missing"),
    [({"cancelled": {}}, (10000,), "cancelled"), ({"removed_line": {}}, (10000,), "removed_line")],
)
def test_without_a_way_in_the_profile_the_order_is_parked_with_a_remedy(
    changes: dict[str, object], sent: tuple[int, ...], missing: str
) -> None:
    with pytest.raises(DocumentFault) as caught:
        cancellation(gone(*sent), with_route(**changes))
    (reason,) = caught.value.reasons
    assert (reason.code, reason.where) == ("REMOVAL_NOT_POSSIBLE", "")
    assert "by hand, then discard it" in reason.remedy
    assert missing in reason.remedy


def test_an_order_without_lines_needs_no_way_to_take_lines_back() -> None:
    assert len(cancellation(gone(), with_route(removed_line={})).rows) == 1


def test_the_shipped_profile_leaves_a_posted_invoice_that_is_gone_to_a_person() -> None:
    with pytest.raises(DocumentFault, match="REMOVAL_NOT_POSSIBLE"):
        cancellation(gone(entity=Entity.PURCHASE_INVOICE), rules())


# -- the profile


def shipped_route() -> dict[str, object]:
    return json.loads(rules().profile.routes["purchaseOrders"].model_dump_json())  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["cancelled", "removed_line"])
def test_a_way_names_columns_that_exist_and_no_key(way: str) -> None:
    with pytest.raises(ValueError, match=rf"{way}.u_nowhere: .* has no such column"):
        Route.model_validate(shipped_route() | {way: {"u_nowhere": "0"}})
    with pytest.raises(ValueError, match=rf"{way}.u_erp_source: the key"):
        Route.model_validate(shipped_route() | {way: {"u_erp_source": "0"}})


@pytest.mark.parametrize("table", ["header", "line"])
def test_a_key_that_is_not_known_any_more_is_refused_with_a_way_to_cancel(table: str) -> None:
    route = shipped_route()
    part = route[table]
    assert isinstance(part, dict)
    part["key"] = [*part["key"], "u_vendor"]
    part["columns"]["u_vendor"] = {"value": "vendor.number"}
    with pytest.raises(ValueError, match=r"u_vendor is part of the key, and vendor\.number"):
        Route.model_validate(route)
    assert Route.model_validate(route | {"cancelled": {}}).cancelled == {}


# -- the reader


class Books:
    """A Business Central with these numbers in its sets; `broken` sets answer so."""

    def __init__(self, *, broken: dict[str, httpx.Response] | None = None, **sets: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._sets = sets
        self._broken = broken or {}
        clock = VirtualClock()
        router = Router({"bc.example": Exchange(self._answer), "login.example": Exchange(self._token)})
        remote = Remote("Business Central", router.transport(), clock)
        tokens = TokenProvider(remote, "https://login.example/token", {}, [lambda: {"client_secret": "s"}], clock)
        chance = SeededRandomness(random.Random(1))
        self.reader = EndingReader(BusinessCentralSession(remote, tokens, "https://bc.example/api", clock, chance))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        name = parts.path.rpartition("/")[2]
        self.asked.append(name)
        assert len(str(request.url)) < 12_000
        if name in self._broken:
            reply = self._broken[name]
            return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
        field = "number" if name == "purchaseOrderArchives" else "orderNumber"
        condition = parse_qs(parts.query)["$filter"][0]
        rows = [{"id": "x", field: number} for number in self._sets.get(name, ()) if f"'{number}'" in condition]
        return httpx.Response(200, json={"value": rows})

    def _token(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})


def refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": "No."}})


def test_traces_are_told_apart_by_number() -> None:
    books = Books(purchaseInvoices=["1", "1", "9"], purchaseReceipts=["1", "2"], purchaseOrderArchives=["2", "3", "3"])
    traces = books.reader.traces(COMPANY, ["1", "2", "3", "4", "", "4"])
    assert [traces.of(number) for number in ("1", "2", "3", "4", "9")] == [
        Trace(invoiced=True, received=True),
        Trace(received=True, archived=True),
        Trace(archived=True),
        Trace(),
        Trace(),
    ]


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 3), (100, 3), (101, 6)])
def test_all_numbers_are_asked_about_together(count: int, calls: int) -> None:
    books = Books(purchaseInvoices=["106000"])
    books.reader.traces(COMPANY, [str(106_000 + each) for each in range(count)])
    assert len(books.asked) == calls


def test_long_numbers_that_grow_in_an_address_are_asked_about_in_more_parts() -> None:
    books = Books(purchaseInvoices=["Ä" * 18 + "07"])
    traces = books.reader.traces(COMPANY, ["Ä" * 18 + f"{each:02d}" for each in range(90)])
    assert traces.invoiced == {"Ä" * 18 + "07"}


def test_a_version_without_archives_tells_the_rest() -> None:
    books = Books(purchaseInvoices=["1"], broken={"purchaseOrderArchives": refusal(404, "BadRequest_ResourceNotFound")})
    assert books.reader.traces(COMPANY, ["1", "2"]) == Traces(invoiced=frozenset({"1"}))


@pytest.mark.parametrize("name", ["purchaseInvoices", "purchaseReceipts"])
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(403, "Authorization_AccessDenied"), Refused),
        (refusal(400, "Application_DialogException"), Outage),
        (httpx.Response(503), Outage),
    ],
    ids=["no permission", "broken page", "down"],
)
def test_when_bc_cannot_say_that_is_an_outage(name: str, reply: httpx.Response, error: type[Outage]) -> None:
    with pytest.raises(error):
        Books(broken={name: reply}).reader.traces(COMPANY, ["1"])


def test_archives_that_are_down_are_an_outage_and_not_their_absence() -> None:
    with pytest.raises(Outage):
        Books(broken={"purchaseOrderArchives": httpx.Response(503)}).reader.traces(COMPANY, ["1"])

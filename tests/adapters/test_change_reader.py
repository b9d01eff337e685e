"""The reader of changes against the simulator: whatever BC refuses or changes between two pages, nothing is lost or endless."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from connector.business_central.changes import Changes
from connector.errors import Outage
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.stamps import NEVER
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, some
from tests.sandbox.business_central import Document
from tests.sandbox.business_central.paging import wished_size
from tests.sandbox.wire import Fault, Handler

DAY = datetime(2026, 3, 1, tzinfo=UTC)
ONE_STAMP = [DAY] * 1500
EACH_ITS_OWN = [DAY + timedelta(seconds=20 * number) for number in range(1500)]


def id_of(number: int) -> str:
    return str(UUID(int=number + 1))


class Scene:
    """Orders with these stamps (their ids in the same order), and the reader."""

    def __init__(self, stamps: Iterable[datetime], *, page_size: int = 1000) -> None:
        company = some(orders=1, invoices=0)[0]
        header = company.orders[0].header
        orders = [
            Document(header | {"id": id_of(number), "number": f"PO{number}", "lastModifiedDateTime": stamp}, [])
            for number, stamp in enumerate(stamps)
        ]
        data = replace(company, documents={ORDERS: orders, INVOICES: []})
        self.pipeline = Pipeline(data=[data], settings={"BC_PAGE_SIZE": str(page_size)})
        self.business_central = self.pipeline.business_central
        self.reader = self.pipeline.parts.changes
        self.company = self.pipeline.settings.companies[0]
        self.all = {order.id for order in orders}
        self.read(datetime(2050, 1, 1, tzinfo=UTC))  # so that the token is there

    def read(self, since: datetime | None = None, *, between: Callable[[int], None] | None = None) -> list[Changes]:
        """All pages; `between` is called after each with its number. Raises when there is no end."""
        pages = []
        for page in self.reader.changes(self.company, Feed.ORDERS, since):
            pages.append(page)
            if between is not None:
                between(len(pages))
            if len(pages) > 3000:
                raise AssertionError("pages without an end")
        return pages

    def calls(self) -> int:
        return self.pipeline.bc_exchange.counts["GET"]

    def refuse(self, most: int, status: int = 413) -> None:
        """From now on BC refuses pages of more records."""
        self.behind(lambda handler, request: _refused(handler, request, most, status))

    def slow(self, seconds: float) -> None:
        """From now on each record in an answer takes so long."""

        def answer(handler: Handler, request: httpx.Request) -> httpx.Response:
            response = handler(request)
            if request.method == "GET":
                self.pipeline.clock.sleep(seconds * len(response.json().get("value", [])))
            return response

        self.behind(answer)

    def behind(self, answer: Callable[[Handler, httpx.Request], httpx.Response]) -> None:
        handler = self.pipeline.landscape.business_central.handle
        self.pipeline.bc_exchange.handler = lambda request: answer(handler, request)

    def move(self, number: int) -> None:
        """An edit that takes the order to the end."""
        self.pipeline.clock.advance(1)
        self.business_central.edit_header(US, id_of(number), payToName=f"Edited {self.pipeline.clock.monotonic()}")


def _refused(handler: Handler, request: httpx.Request, most: int, status: int) -> httpx.Response:
    if (wished_size(request) or 0) > most and ORDERS in request.url.path:
        return httpx.Response(status, headers={"Content-Type": "text/html"}, text="too much")
    return handler(request)


def ids(pages: Iterable[Changes]) -> list[str]:
    return [change.id for page in pages for change in page.changes]


def sizes(pages: Iterable[Changes]) -> list[int]:
    return [len(page.changes) for page in pages]


# -- stamps


@pytest.mark.parametrize("page_size", [7, 100, 500, 1000, 1499, 1500, 1501, 20_000])
@pytest.mark.parametrize("stamps", [ONE_STAMP, EACH_ITS_OWN, [NEVER] * 1500, [NEVER] * 700 + ONE_STAMP[:800]])
@pytest.mark.parametrize("since", [None, DAY])
def test_every_record_comes_whatever_its_stamp_and_the_size_of_pages(
    stamps: list[datetime], page_size: int, since: datetime | None
) -> None:
    scene = Scene(stamps, page_size=page_size)
    before = scene.calls()
    found = ids(scene.read(since))
    expected = {id_of(number) for number, stamp in enumerate(stamps) if since is None or stamp >= since}
    assert set(found) == expected
    pages = math.ceil(len(expected) / page_size)
    assert scene.calls() - before <= pages * page_size / (page_size - 1) + 4, "few records come twice"


@pytest.mark.parametrize("digits", ["", ".1", ".12", ".123", ".1234567"])
def test_a_stamp_of_any_precision_is_found_from_itself_on(digits: str) -> None:
    scene = Scene([DAY, DAY + timedelta(hours=1)])
    text = f"2026-03-01T00:00:00{digits}Z"
    plain = '"2026-03-01T00:00:00Z"'
    scene.behind(lambda handler, request: _reworded(handler(request), plain, f'"{text}"'))
    (page,) = scene.read()
    micros = int((digits[1:] or "0").ljust(6, "0")[:6])
    assert page.changes[0].modified == DAY + timedelta(microseconds=micros)


def _reworded(response: httpx.Response, old: str, new: str) -> httpx.Response:
    return httpx.Response(
        response.status_code, headers={"Content-Type": "application/json"}, text=response.text.replace(old, new)
    )


@pytest.mark.parametrize("micros", [0, 100_000, 120_000, 123_000, 123_456])
def test_the_bound_is_inclusive_at_every_precision(micros: int) -> None:
    stamp = DAY + timedelta(microseconds=micros)
    scene = Scene([DAY - timedelta(seconds=1), stamp])
    assert ids(scene.read(stamp)) == [id_of(1)]


# -- edits between pages


@pytest.mark.parametrize(
    "stamps",
    [[DAY] * 2500, [DAY + timedelta(seconds=20 * number) for number in range(2500)]],
    ids=["one stamp", "each its own"],
)
@pytest.mark.parametrize("number", [0, 500, 998, 999, 1000, 1001, 1998, 1999, 2000, 2499])
@pytest.mark.parametrize("after", [1, 2])
def test_a_record_that_moves_to_the_end_between_two_pages_hides_no_other(
    stamps: list[datetime], number: int, after: int
) -> None:
    scene = Scene(stamps)

    def edit(page: int) -> None:
        if page == after:
            scene.move(number)
            scene.move(0)

    pages = scene.read(between=edit)
    assert set(ids(pages)) == scene.all
    last = {change.id: change.modified for page in pages for change in page.changes}
    assert last[id_of(number)] == scene.business_central.stamps(US)[id_of(number)]


@pytest.mark.parametrize("number", [0, 998, 999, 1000])
def test_a_record_that_disappears_between_two_pages_hides_no_other(number: int) -> None:
    scene = Scene(EACH_ITS_OWN)

    def delete(page: int) -> None:
        if page == 1:
            scene.business_central.delete(US, ORDERS, id_of(number))

    assert set(ids(scene.read(between=delete))) >= scene.all - {id_of(number)}


def test_records_of_one_stamp_that_end_with_the_page_are_not_read_for_ever() -> None:
    scene = Scene([*[DAY] * 1000, *[DAY + timedelta(hours=1)] * 1000, DAY + timedelta(hours=2)])
    assert set(ids(scene.read())) == scene.all
    assert set(ids(scene.read(DAY))) == scene.all


# -- sizes


@pytest.mark.parametrize("status", [413, 408, 504])
@pytest.mark.parametrize("most", [1, 3, 243, 400, 999])
@pytest.mark.parametrize("stamps", [ONE_STAMP, EACH_ITS_OWN], ids=["one stamp", "each its own"])
def test_pages_shrink_until_bc_gives_them(stamps: list[datetime], most: int, status: int) -> None:
    if most < 10:
        stamps = stamps[:40]
    scene = Scene(stamps)
    scene.refuse(most, status)
    before = scene.calls()
    pages = scene.read()
    assert set(ids(pages)) == scene.all
    assert max(sizes(pages)) <= most
    assert scene.calls() - before <= 3 * len(stamps) / (most / 2) + 2 * math.log2(1000)


@pytest.mark.parametrize("stamps", [ONE_STAMP, EACH_ITS_OWN], ids=["one stamp", "each its own"])
def test_a_refusal_in_the_middle_goes_on_from_the_last_stamp(stamps: list[datetime]) -> None:
    scene = Scene(stamps, page_size=200)

    def refuse(page: int) -> None:
        if page == 4:
            scene.refuse(60)

    pages = scene.read(between=refuse)
    assert set(ids(pages)) == scene.all
    if stamps is EACH_ITS_OWN:
        assert len(ids(pages)) <= 1500 + len(pages), "nothing but the edges comes twice"


def test_a_single_record_that_is_too_much_is_an_outage() -> None:
    scene = Scene(EACH_ITS_OWN[:5])
    scene.refuse(0)
    with pytest.raises(Outage):
        scene.read()


def test_pages_grow_back_when_bc_is_well_again() -> None:
    scene = Scene(EACH_ITS_OWN, page_size=256)
    scene.refuse(10)
    assert max(sizes(scene.read())) <= 10
    scene.refuse(10**6)
    grown = sizes(scene.read())
    assert max(grown) == 256
    assert all(after <= before + max(1, before // 4) for before, after in zip(grown, grown[1:], strict=False))


def test_slow_pages_shrink_at_once() -> None:
    scene = Scene(EACH_ITS_OWN)
    scene.slow(0.05)
    found = sizes(scene.read())
    assert found[0] == 1000, "takes 50 seconds"
    assert max(found[1:]) <= 200, "takes 10 seconds"
    assert sum(found) >= 1500


def test_one_page_that_comes_late_is_followed_by_small_ones() -> None:
    scene = Scene(EACH_ITS_OWN)
    scene.pipeline.bc_exchange.faults = [Fault("slow", path="orderby", delay=100)]
    assert sizes(scene.read())[:3] == [1000, 100, 125]


def test_large_pages_shrink() -> None:
    scene = Scene(EACH_ITS_OWN)
    filler = "x" * 40_000

    def heavy(handler: Handler, request: httpx.Request) -> httpx.Response:
        response = handler(request)
        return _reworded(response, '"number":', f'"filler":"{filler}","number":')

    scene.behind(heavy)
    found = sizes(scene.read())
    assert found[0] == 1000
    assert max(found[1:]) <= 210
    assert sum(found) >= 1500


# -- records that BC cannot list


BARE_FAILS, BARE_WORKS = "always", "beyond its stamp"


@pytest.mark.parametrize("how", [BARE_FAILS, BARE_WORKS])
@pytest.mark.parametrize(
    ("count", "broken"), [(100, [37]), (1000, [0]), (1000, [500]), (1000, [999]), (1500, [999]), (1500, [1000])]
)
@pytest.mark.parametrize("equal", [True, False])
def test_a_record_that_cannot_be_listed_hides_no_other(count: int, broken: list[int], how: str, equal: bool) -> None:
    scene = Scene((ONE_STAMP if equal else EACH_ITS_OWN)[:count])
    undisturbed = -scene.calls()
    scene.read()
    undisturbed += scene.calls()
    unlistable(scene, broken, how)
    extra = -scene.calls() - undisturbed
    pages = scene.read()
    extra += scene.calls()
    left_out = {id_of(number) for number in broken} if how == BARE_FAILS else set()
    assert set(ids(pages)) == scene.all - left_out
    assert pages[-1].whole is not bool(left_out)
    # One that only its stamp is known of and that is the last of its window is met again in the next, which begins with it.
    times = 2 if how == BARE_WORKS and not equal and broken[0] == 999 else 1
    assert extra <= times * 2 * math.log2(1000) + 5


@pytest.mark.parametrize("broken", [[3, 4], [0, 999], [10, 1200], [998, 999, 1000, 1001]])
@pytest.mark.parametrize("equal", [True, False])
def test_several_that_cannot_be_listed_hide_no_other(broken: list[int], equal: bool) -> None:
    scene = Scene(ONE_STAMP if equal else EACH_ITS_OWN)
    unlistable(scene, broken, BARE_FAILS)
    before = scene.calls()
    pages = scene.read()
    assert set(ids(pages)) == scene.all - {id_of(number) for number in broken}
    assert not pages[-1].whole
    assert scene.calls() - before <= len(broken) * 2 * math.log2(1000) + 20


def test_what_is_before_a_record_that_cannot_be_listed_is_whole() -> None:
    scene = Scene(EACH_ITS_OWN, page_size=100)
    unlistable(scene, [1234], BARE_FAILS)
    behind = EACH_ITS_OWN[1200]
    for page in scene.read():
        if not page.whole:
            assert page.changes[-1].modified >= behind
            break
    else:
        raise AssertionError("no page says that a record is missing")


@pytest.mark.parametrize("number", [0, 150, 198, 199, 200, 250])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_edit_between_two_windows_hides_no_other(number: int, after: int) -> None:
    scene = Scene(EACH_ITS_OWN[:600], page_size=100)
    unlistable(scene, [120], BARE_WORKS)

    def edit(page: int) -> None:
        if page == after:
            scene.move(number)

    assert set(ids(scene.read(between=edit))) == scene.all


def test_windows_shrink_as_well() -> None:
    scene = Scene(EACH_ITS_OWN[:400], page_size=100)
    unlistable(scene, [120], BARE_WORKS)

    def refuse(page: int) -> None:
        if page == 2:
            scene.refuse(30)

    assert set(ids(scene.read(between=refuse))) == scene.all


def unlistable(scene: Scene, broken: Iterable[int], how: str) -> None:
    for number in broken:
        scene.business_central.unlistable[id_of(number)] = "always" if how == BARE_FAILS else "beyond its stamp"


# -- documents


@pytest.mark.parametrize("status", [413, 408, 504])
def test_documents_are_asked_for_in_numbers_that_bc_delivers(status: int) -> None:
    scene = Scene(EACH_ITS_OWN[:600])
    scene.refuse(20, status)
    wanted = [id_of(number) for number in range(600)]

    def read() -> int:
        before = scene.calls()
        reading = scene.pipeline.parts.reader.documents(
            scene.company, Entity.PURCHASE_ORDER, wanted, may_go_on=lambda: True
        )
        assert not reading.missing
        assert not reading.unread
        assert {*reading.documents, *reading.faults} == set(wanted)
        return scene.calls() - before

    assert read() <= 70, "what the first part has shown counts for those behind it"
    assert read() <= 55


def test_a_document_that_cannot_be_listed_is_the_only_one_at_fault() -> None:
    scene = Scene(EACH_ITS_OWN[:200])
    unlistable(scene, [77], BARE_WORKS)
    wanted = [id_of(number) for number in range(200)]
    before = scene.calls()
    reading = scene.pipeline.parts.reader.documents(
        scene.company, Entity.PURCHASE_ORDER, wanted, may_go_on=lambda: True
    )
    assert {reason.code for reason in reading.faults[id_of(77)].reasons} == {"DOCUMENT_NOT_READABLE_IN_BC"}
    assert not reading.missing
    assert scene.calls() - before <= 2 * math.log2(200) + 12

"""Outages of Business Central, and changes in the middle of reading: in the end every document is there once and right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.decisions.states import Status
from tests.flows.comparison import assert_each_record_was_written_once, end_differences, rows_in_staging
from tests.flows.expectation import expectations
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, some
from tests.sandbox.wire import Fault

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
LOGIN_PAGE = "<html><body>Sign in to your account</body></html>"
BC_THROTTLED = '{"error":{"code":"Application_TooManyRequests","message":"Too many requests."}}'
BC_LOGIN = '{"error":{"code":"Authentication_InvalidCredentials","message":"The server has rejected the credentials."}}'
HALF = '{"value":[{"id":"4bba8e83-0889'

Made = Callable[[], Fault]


def business_central(effect: str, *, path: str = "", **more: object) -> Made:
    """A fault of reads, fresh for each test."""
    return lambda: Fault(effect, method="GET", path=path or "/api/v2.0/", **more)  # type: ignore[arg-type]


READS: dict[str, Made] = {
    "429 with Retry-After": business_central(
        "answer", status=429, headers=JSON | {"Retry-After": "60"}, answer=BC_THROTTLED
    ),
    "429 without a word": business_central("answer", status=429, headers=JSON, answer=BC_THROTTLED, times=3),
    "503": business_central("answer", status=503, headers=HTML, answer="down", times=4),
    "504": business_central("answer", status=504, headers=HTML, answer="gateway"),
    "500": business_central(
        "answer",
        status=500,
        headers=JSON,
        answer='{"error":{"code":"Internal_ServerError","message":"Try again later."}}',
        times=3,
    ),
    "a page with 200": business_central("answer", status=200, headers=HTML, answer=LOGIN_PAGE, times=3),
    "401 once": business_central("answer", status=401, headers=JSON, answer=BC_LOGIN),
    "401 for a while": business_central("answer", status=401, headers=JSON, answer=BC_LOGIN, times=6),
    "403 for a while": business_central(
        "answer",
        status=403,
        headers=JSON,
        answer='{"error":{"code":"Authorization_AccessDenied","message":"Access denied."}}',
        times=3,
    ),
    "half a text": business_central("answer", status=200, headers=JSON, answer=HALF),
    "no list": business_central("answer", status=200, headers=JSON, answer="{}"),
    "a cut answer": business_central("cut_body", times=3),
    "no connection": business_central("refuse", times=3),
    "reset before": business_central("reset_before", times=3),
    "reset after": business_central("reset_after", times=3),
}
# Where a read is met: the first poll; the documents of the first unit; the payment terms.
PLACES = {"poll": "lastModifiedDateTime", "documents": "expand=", "codes": "/paymentTerms"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", READS.values(), ids=READS)
def test_after_an_outage_of_business_central_every_row_was_staged_exactly_once(fault: Made, place: str) -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    met = fault()
    met.path = PLACES[place]
    pipeline.bc_exchange.faults.append(met)
    # A 429 stops everybody for a while, so it may take one poll a fault until all had their turn.
    pipeline.run(polls=6)
    assert any(name.startswith("fault:") for name in pipeline.bc_exchange.counts)
    assert end_differences(pipeline, each="once") == []
    assert_each_record_was_written_once(pipeline)


@pytest.mark.parametrize("answer", [HALF, "{}"], ids=["half a text", "no list"])
def test_answers_that_stay_unreadable_for_a_while_are_an_outage_and_park_nothing(answer: str) -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    fault = business_central("answer", path="expand=", status=200, headers=JSON, answer=answer, times=3)
    pipeline.bc_exchange.faults.append(fault())
    pipeline.run(polls=3)
    assert end_differences(pipeline, each="once") == []


def test_one_refused_token_costs_one_new_token_and_no_delay() -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    pipeline.bc_exchange.faults.append(READS["401 once"]())
    pipeline.run()
    assert pipeline.clock.monotonic() == 0
    assert end_differences(pipeline, each="once") == []


def test_a_page_that_breaks_off_in_the_middle_of_a_poll_loses_nothing() -> None:
    pipeline = Pipeline(data=some(), settings={"BC_PAGE_SIZE": "5"})
    pipeline.bc_exchange.faults.append(
        business_central("answer", path="orderby", skip=1, status=503, headers=HTML, times=4)()
    )
    pipeline.run(polls=3)
    assert "fault:answer" in pipeline.bc_exchange.counts
    assert end_differences(pipeline, each="once") == []


def test_one_entity_that_cannot_be_read_does_not_keep_the_others_from_being_staged() -> None:
    pipeline = Pipeline(data=some())
    pipeline.business_central.unreadable.add(INVOICES)
    pipeline.run(polls=2)
    staged = {row.document[0] for row in rows_in_staging(pipeline.servicenow.tables)}
    assert staged == {"order", "receipt"}
    assert pipeline.parked() == {}
    pipeline.business_central.unreadable.clear()
    pipeline.run(polls=3)
    assert end_differences(pipeline, each="once") == []


def test_a_document_that_vanishes_between_poll_and_read_is_closed_and_its_neighbours_are_staged() -> None:
    pipeline = Pipeline(data=some())
    pipeline.poll()
    id_ = pipeline.find(US, "106012")
    pipeline.business_central.delete(US, ORDERS, "106012")
    pipeline.drain()
    state = pipeline.states()[id_]
    assert (state.status, state.outcome) == (Status.CLOSED, "deleted")
    assert pipeline.with_status(Status.DONE) == {
        each.id for each in expectations(pipeline.landscape).values() if each.rows
    }


def test_a_document_edited_between_poll_and_read_is_staged_as_it_is_then_and_once() -> None:
    pipeline = Pipeline(data=some())
    pipeline.poll()
    pipeline.clock.advance(5)
    pipeline.business_central.edit_line(US, "106002", 10000, quantity=5)
    pipeline.drain()
    writes = pipeline.writes()
    pipeline.clock.advance(60)
    pipeline.run()
    assert pipeline.writes() == writes
    assert end_differences(pipeline, each="once") == []

"""Faults nobody foresaw: one document's crash never holds up the others, and ends parked with its exception, not in a loop."""

from __future__ import annotations

import random
from dataclasses import replace

import httpx
import pytest

from connector.bootstrap import Ports, build
from connector.decisions.states import Status
from connector.flows.deliver import MAX_RUNS, deliver
from connector.model.profile import Translations
from connector.ports import SeededRandomness
from tests.benchmarks.reference import reference_company
from tests.flows.pipeline import ORDERS, US, Pipeline, reasons


class Exploding(dict[str, str]):
    """A translation table that crashes at one code, as a defect of ours might."""

    def __init__(self, table: dict[str, str], code: str) -> None:
        super().__init__(table)
        self._code = code

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        if key == self._code:
            raise ZeroDivisionError("a defect nobody foresaw")
        return super().get(key, default)


class Crashing(httpx.BaseTransport):
    """A transport that crashes, not fails, whenever a request speaks of one document."""

    def __init__(self, inner: httpx.BaseTransport, text: str) -> None:
        self._inner = inner
        self._text = text

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._text in str(request.url):
            raise ZeroDivisionError("a defect nobody foresaw")
        return self._inner.handle_request(request)


def unit_of_200() -> Pipeline:
    pipeline = Pipeline(data=[reference_company(200)])
    victim = pipeline.landscape.data[0].orders[77]
    unit = victim.lines[0].values["unitOfMeasureCode"]
    assert isinstance(unit, str)
    pipeline.business_central.edit_line(US, victim.number, 10000, unitOfMeasureCode="CRASH")
    return pipeline


def assert_one_of_200_is_parked(pipeline: Pipeline) -> None:
    states = pipeline.states()
    victim = pipeline.landscape.data[0].orders[77]
    parked = [state for state in states.values() if state.status is Status.PARKED]
    assert [state.id for state in parked] == [victim.id]
    (reason,) = reasons(parked[0])
    assert reason["code"] == "UNFORESEEN_FAULT"
    assert "ZeroDivisionError: a defect nobody foresaw" in reason["message"]
    assert sum(state.status is Status.DONE for state in states.values()) == 199
    assert len(pipeline.servicenow.tables.rows("sn_shop_purchase_order")) == 199
    assert [note["parked"] for note in pipeline.poison()] == [victim.id]
    assert pipeline.intact(US, victim.id)


def test_one_crash_in_a_unit_of_200_parks_that_document_with_its_exception() -> None:
    pipeline = unit_of_200()
    units = Exploding(pipeline.parts.translations.units, "CRASH")
    translations = Translations.model_construct(**(dict(pipeline.parts.translations) | {"units": units}))
    pipeline.parts = replace(pipeline.parts, translations=translations)
    pipeline.run()
    assert_one_of_200_is_parked(pipeline)
    assert len(pipeline.faults) == MAX_RUNS - 1, (
        "only the message of the document alone may raise, and not the last time"
    )
    batches = [sent for sent in pipeline.wire.requests if sent.path.endswith("/batch")]
    assert len(batches) <= 20, "the other 199 go on together"


def test_a_crash_that_names_no_document_still_ends_with_one_parked() -> None:
    pipeline = unit_of_200()
    victim = pipeline.landscape.data[0].orders[77]
    ports = Ports(
        Crashing(pipeline.wire, f"id+eq+{victim.id}"),
        pipeline.tables,
        pipeline.queues,
        pipeline.clock,
        SeededRandomness(random.Random(3)),
    )
    pipeline.parts = build(pipeline.settings, ports)
    pipeline.run()
    assert_one_of_200_is_parked(pipeline)


def test_the_crash_of_a_new_version_is_carried_once_it_is_mended() -> None:
    pipeline = unit_of_200()
    healthy = pipeline.parts
    units = Exploding(healthy.translations.units, "CRASH")
    broken = Translations.model_construct(**(dict(healthy.translations) | {"units": units}))
    pipeline.parts = replace(healthy, translations=broken)
    pipeline.run()
    victim = pipeline.landscape.data[0].orders[77]
    pipeline.parts = healthy
    pipeline.clock.advance(600)
    pipeline.business_central.edit_line(US, victim.number, 10000, unitOfMeasureCode="PCS", quantity=7)
    pipeline.run()
    assert pipeline.states()[victim.id].status is Status.DONE
    assert pipeline.poison() == []


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", '{"v": 2}', '{"v": 1, "company": "us"}', '{"v":1,"parked":"x"}', "\ud800"]
)
def test_a_message_that_is_none_of_ours_is_kept_once_and_never_raises(text: str) -> None:

    pipeline = Pipeline(data=[reference_company(1)])
    for _ in range(2):
        deliver(pipeline.parts, text, 1)
    rows = [row for row in pipeline.tables.rows("ledger") if row.partition == "unreadable"]
    states = [row for row in rows if row.row.startswith("s|")]
    assert len(states) == 1
    assert states[0].properties["status"] == "parked"
    assert ORDERS not in str(states[0].properties["reasons"])

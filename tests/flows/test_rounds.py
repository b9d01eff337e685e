"""Rounds: every entity of every company has its turn inside the time of one run, whatever happens to the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.business_central.session import TIMEOUT
from connector.errors import Outage, SettingsFault
from connector.flows.rounds import ROUND_LIMIT, everywhere
from connector.model.documents import Entity
from connector.remote.patience import PATIENCE
from connector.setting_words import Company
from tests.flows.pipeline import Pipeline, some

PLACES = [f"{company} {entity.value}" for company in ("us", "de") for entity in Entity]
HOST = json.loads((Path(__file__).parents[2] / "host.json").read_text("utf-8"))


def test_a_run_ends_inside_the_time_limit_of_the_host() -> None:
    hours, minutes, seconds = map(int, HOST["functionTimeout"].split(":"))
    limit = hours * 3600 + minutes * 60 + seconds
    assert limit > ROUND_LIMIT + PATIENCE + TIMEOUT


@pytest.mark.parametrize("page_seconds", [1.0, 7.0, 30.0])
def test_a_company_with_endless_work_leaves_the_others_their_time(page_seconds: float) -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=0))
    began, pages = pipeline.clock.monotonic(), dict.fromkeys(PLACES, 0)

    def endless(company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> None:
        while may_go_on():
            pages[f"{company.key} {entity.value}"] += 1
            pipeline.clock.sleep(page_seconds)

    everywhere(pipeline.parts, "poll", pipeline.parts.entities(), endless)
    assert all(pages.values())
    assert max(pages.values()) - min(pages.values()) <= 1
    assert pipeline.clock.monotonic() - began < ROUND_LIMIT + page_seconds


def test_time_that_one_does_not_need_is_there_for_those_behind_it() -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=0))
    began = pipeline.clock.monotonic()

    def only_the_last(company: Company, entity: Entity, may_go_on: Callable[[], bool]) -> None:
        while f"{company.key} {entity.value}" == PLACES[-1] and may_go_on():
            pipeline.clock.sleep(1)

    everywhere(pipeline.parts, "poll", pipeline.parts.entities(), only_the_last)
    assert pipeline.clock.monotonic() - began == ROUND_LIMIT


def test_nobody_begins_when_the_time_is_up(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=0))
    begun: list[str] = []

    def hanging(company: Company, entity: Entity, _may_go_on: Callable[[], bool]) -> None:
        begun.append(f"{company.key} {entity.value}")
        pipeline.clock.sleep(TIMEOUT)

    everywhere(pipeline.parts, "poll", pipeline.parts.entities(), hanging)
    assert begun == PLACES[:2]
    assert caplog.text.count("poll_postponed") == len(PLACES) - 2
    assert caplog.text.count("outcome=time is up") == len(PLACES) - 2


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), SettingsFault("no such table")])
def test_a_fault_of_one_does_not_keep_the_others_from_their_turn_and_is_raised(fault: Exception) -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=0))
    begun: list[str] = []

    def work(company: Company, entity: Entity, _may_go_on: Callable[[], bool]) -> None:
        begun.append(f"{company.key} {entity.value}")
        if len(begun) == 1:
            raise Outage("Business Central", "is away")
        if len(begun) == 2:
            raise fault

    with pytest.raises(type(fault)):
        everywhere(pipeline.parts, "sweep", pipeline.parts.entities(), work)
    assert begun == PLACES

"""The reference book reads a simulated company: every word, every age, few requests, and no guess where BC does not answer."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest

from connector.business_central.reference_reader import (
    FINANCE,
    PAGE,
    WITHOUT_FINANCE_FOR,
)
from connector.business_central.references import MISSING_FOR, ReferenceBook
from connector.business_central.session import SYSTEM, BusinessCentralSession
from connector.errors import Outage, Refused, Throttled
from connector.model.codes import as_code
from connector.model.references import AccountFacts, DefaultDimension, PostingWindow, ValueFacts, VendorFacts
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.tokens import TokenProvider
from connector.setting_words import Company
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.records import CompanyData, Row
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import KEYS
from tests.sandbox.sample import companies
from tests.sandbox.wire import Exchange, Fault, Router

AGE = 900.0
TYPES = ("Standard", "Heading", "Total", "Begin-Total", "End-Total")
DATA = [replace(data, documents={}, history={}, files={}) for data in companies()]
ODD = ("O'NEIL", "A&B", "A/B", "50%", "A+B", "GROßE", "10,5", "A;B", "#1", "(X)", "A=B", "Å 1", "A\\B", "A?B", '"Q"')

HOST = "https://api.businesscentral.dynamics.com"

Read = Callable[["Scene"], object]


def company_of(data: CompanyData) -> Company:
    """The settings of a sample company."""
    key, source, entity, currency = KEYS[data.name]
    return Company(
        key=key,
        id=data.id,
        erp_source=source,
        legal_entity=entity,
        local_currency=currency,
        invoice_source=source,
        cost_centre_dimension="DEPARTMENT",
    )


class Scene:
    """A simulated BC, and the book of its companies. `more`: rows that the first company has besides, by set."""

    def __init__(self, *, max_url: int = 12_000, more: dict[str, Sequence[Row]] | None = None) -> None:
        self.tables = {name: [*rows, *(more or {}).get(name, ())] for name, rows in DATA[0].tables.items()}
        self.clock = VirtualClock()
        self.clock.advance(5)
        self.business_central = BusinessCentral([replace(DATA[0], tables=self.tables), DATA[1]], now=self.clock.now)
        self.exchange = Exchange(self.business_central.handle, sleep=self.clock.sleep)
        hosts = dict.fromkeys(("api.businesscentral.dynamics.com", "login.microsoftonline.com"), self.exchange)
        remote = Remote(SYSTEM, Router(hosts).transport(), self.clock)
        tenant, client = self.business_central.tenant, self.business_central.client_id
        tokens = TokenProvider(
            remote,
            f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            {"grant_type": "client_credentials", "client_id": client, "scope": f"{HOST}/.default"},
            [lambda: {"client_secret": "first-secret"}],
            self.clock,
        )
        root = f"{HOST}/v2.0/{tenant}/Production/api"
        session = BusinessCentralSession(remote, tokens, root, self.clock, SeededRandomness(random.Random(1)))
        self.company, self.other = (company_of(data) for data in DATA)
        self.book = ReferenceBook(session, self.clock, max_url=max_url)

    def values(self, at_most: float = AGE) -> dict[tuple[str, str], ValueFacts]:
        """All dimension values."""
        return dict(self.book.values(self.company, at_most)[1])

    def vendors(self, *numbers: str, at_most: float = AGE) -> dict[str, VendorFacts]:
        """Vendors by number."""
        return dict(self.book.vendors(self.company, numbers, at_most))

    def requests(self, read: Read) -> list[str]:
        """The addresses that are asked while something is read."""
        before = self.exchange.counts["GET"]
        read(self)
        count = self.exchange.counts["GET"] - before
        return [passed.path.decode() for passed in self.exchange.recent()][len(self.exchange.recent()) - count :]

    def edit(self, entity: str, number: str, **changes: Any) -> None:
        """Changes a row of master data."""
        self.business_central.edit_header(DATA[0].name, number, entity=entity, **changes)

    def demand(self, value: str, rule: str, **changes: Any) -> None:
        """Gives the vendor's default dimension with this value another value posting."""
        defaults = DATA[0].tables["defaultDimensions"]
        row = next(row for row in defaults if (row["parentType"], row["dimensionValueCode"]) == ("Vendor", value))
        self.edit("defaultDimensions", str(row["id"]), postingValidation=rule, **changes)

    def garble(self, path: str, old: str, new: str) -> None:
        """From now on answers to these requests have another text in them."""
        handler = self.business_central.handle

        def answer(request: httpx.Request) -> httpx.Response:
            response = handler(request)
            if path not in str(request.url) or response.status_code != 200:
                return response
            assert old in response.text
            return httpx.Response(
                200, headers={"Content-Type": "application/json"}, text=response.text.replace(old, new)
            )

        self.exchange.handler = answer

    def lose_finance(self) -> None:
        """The app with the finance API is taken off."""
        self.business_central.apis.available.discard(FINANCE)


def values(scene: Scene) -> object:
    """All dimension values."""
    return scene.values()


def accounts(scene: Scene) -> object:
    """All accounts."""
    return scene.book.accounts(scene.company, AGE)


def window(scene: Scene) -> object:
    """The posting window."""
    return scene.book.window(scene.company, AGE)


def vendors(scene: Scene) -> object:
    """Two vendors."""
    return scene.vendors("10000", "20000")


EVERY = pytest.mark.parametrize("read", [values, accounts, window, vendors])


def value_rows(count: int) -> list[Row]:
    """So many more dimension values."""
    dimension = str(next(row["id"] for row in DATA[0].tables["dimensions"] if row["code"] == "PROJECT"))
    return [
        {
            "id": str(UUID(int=number + 1)),
            "code": f"P{number}",
            "dimensionId": dimension,
            "displayName": f"Project {number}",
            "lastModifiedDateTime": DATA[0].tables["dimensions"][0]["lastModifiedDateTime"],
            "dimensionCode": "PROJECT",
            "dimensionValueType": TYPES[number % 5],
            "blocked": number % 2 == 1,
        }
        for number in range(count)
    ]


def vendor_rows(numbers: Sequence[str]) -> list[Row]:
    """Vendors with these numbers."""
    pattern = DATA[0].tables["vendors"][0]
    return [pattern | {"id": str(UUID(int=place + 1)), "number": number} for place, number in enumerate(numbers)]


# -- dimensions and their values


def test_values_come_with_type_and_block_and_every_dimension_is_known() -> None:
    scene = Scene(more={"dimensionValues": value_rows(10)})
    dimensions, found = scene.book.values(scene.company, AGE)
    tables = scene.tables
    expected = {
        (str(row["dimensionCode"]), str(row["code"])): ValueFacts(str(row["dimensionValueType"]), bool(row["blocked"]))
        for row in tables["dimensionValues"]
    }
    assert found == expected
    assert {facts.type for facts in found.values()} == set(TYPES)
    assert found["DEPARTMENT", "WORKSHOP"] == ValueFacts("Standard", True)
    assert dimensions == {row["code"] for row in tables["dimensions"]}


def test_a_dimension_without_values_is_known() -> None:
    scene = Scene(more={"dimensions": [DATA[0].tables["dimensions"][0] | {"id": str(UUID(int=7)), "code": "SEASON"}]})
    for _ in range(2):
        dimensions, found = scene.book.values(scene.company, 0)
        assert "SEASON" in dimensions
        assert not any(dimension == "SEASON" for dimension, _ in found)
        scene.lose_finance()


def test_without_the_finance_api_values_have_neither_type_nor_block() -> None:
    scene = Scene()
    with_type = scene.values()
    scene.lose_finance()
    assert scene.values(at_most=0) == dict.fromkeys(with_type, ValueFacts(None, None))


def test_a_missing_finance_api_is_found_out_once_and_looked_for_again_after_hours() -> None:
    scene = Scene()
    scene.lose_finance()
    assert len(scene.requests(values)) == 3
    scene.clock.advance(WITHOUT_FINANCE_FOR - 1)
    assert not any(FINANCE in path for path in scene.requests(values))
    scene.business_central.apis.available.add(FINANCE)
    scene.clock.advance(AGE)
    scene.values()
    assert scene.values()["DEPARTMENT", "WORKSHOP"] == ValueFacts("Standard", True)


def test_a_token_that_is_refused_does_not_make_the_finance_api_missing() -> None:
    scene = Scene()
    scene.business_central.forbidden = True
    with pytest.raises(Refused):
        scene.values()
    scene.business_central.forbidden = False
    assert scene.values()["DEPARTMENT", "WORKSHOP"].blocked is True


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_outage_of_the_finance_api_is_an_outage_and_leaves_it_known(status: int) -> None:
    scene = Scene()
    scene.exchange.faults = [Fault("answer", path=FINANCE, status=status, times=3)]
    with pytest.raises(Outage):
        scene.values()
    assert scene.values()["DEPARTMENT", "WORKSHOP"].blocked is True


def test_a_thousand_values_come_over_several_pages() -> None:
    scene = Scene(more={"dimensionValues": value_rows(1000)})
    scene.business_central.limits.page_size = 100
    for finance in (True, False):
        pages = scene.requests(lambda scene: scene.values(at_most=0))
        found = scene.values(at_most=0)
        assert len(pages) == 11 + 1 + (0 if finance else 1)
        assert {code for dimension, code in found if dimension == "PROJECT"} >= {f"P{number}" for number in range(1000)}
        assert found["PROJECT", "P3"] == (ValueFacts("Begin-Total", True) if finance else ValueFacts())
        scene.lose_finance()


def test_pages_are_asked_for_that_are_large_enough_for_a_hundred_thousand_values() -> None:
    scene = Scene(more={"dimensionValues": value_rows(PAGE)})
    pages = [path for path in scene.requests(values) if FINANCE in path]
    assert len(pages) == 2
    assert 100_000 / PAGE <= 20


def test_a_value_of_no_dimension_is_an_outage_that_names_the_set() -> None:
    scene = Scene()
    scene.lose_finance()
    first = DATA[0].tables["dimensions"][0]["id"]
    scene.garble("/dimensionValues?", f'"dimensionId":"{first}"', f'"dimensionId":"{UUID(int=9)}"')
    with pytest.raises(Outage, match="dimensionValues"):
        scene.values()


# -- accounts


def test_every_type_of_account_is_decoded() -> None:
    pattern = DATA[0].tables["accounts"][0]
    rows = [
        pattern
        | {
            "id": str(UUID(int=place + 1)),
            "number": f"9{place}",
            "accountType": kind,
            "directPosting": place == 1,
            "blocked": place == 2,
        }
        for place, kind in enumerate(("Posting", *TYPES[1:]))
    ]
    scene = Scene(more={"accounts": rows})
    found = scene.book.accounts(scene.company, AGE)
    assert [found[f"9{place}"] for place in range(5)] == [
        AccountFacts("Posting", False, False),
        AccountFacts("Heading", True, False),
        AccountFacts("Total", False, True),
        AccountFacts("Begin-Total", False, False),
        AccountFacts("End-Total", False, False),
    ]
    assert found.keys() == {row["number"] for row in scene.tables["accounts"]}


# -- the posting window


@pytest.mark.parametrize(
    ("first", "last"),
    [(None, None), (date(2026, 1, 1), None), (None, date(2026, 3, 31)), (date(2026, 3, 1), date(2026, 3, 31))],
)
def test_the_posting_window_is_open_where_bc_has_no_day(first: date | None, last: date | None) -> None:
    scene = Scene()
    setup = str(DATA[0].tables["generalLedgerSetup"][0]["id"])
    days = {"allowPostingFrom": first or date(1, 1, 1), "allowPostingTo": last or date(1, 1, 1)}
    scene.edit("generalLedgerSetup", setup, **days)
    assert scene.book.window(scene.company, AGE) == PostingWindow(first, last)


def test_a_company_without_general_ledger_setup_is_an_outage() -> None:
    scene = Scene()
    scene.business_central.delete(
        DATA[0].name, "generalLedgerSetup", str(DATA[0].tables["generalLedgerSetup"][0]["id"])
    )
    with pytest.raises(Outage, match="generalLedgerSetup"):
        scene.book.window(scene.company, AGE)


# -- vendors


def test_vendors_come_with_what_they_demand_of_dimensions() -> None:
    scene = Scene()
    scene.demand("ADM", "Code Mandatory")
    scene.demand("SALES", "Same Code")
    found = scene.vendors("10000", "20000", "40000", "30000")
    assert found["10000"] == found["30000"] == VendorFacts("", ())
    assert found["20000"].defaults == (DefaultDimension("DEPARTMENT", "ADM", "mandatory"),)
    assert found["40000"].defaults == (DefaultDimension("DEPARTMENT", "SALES", "same"),)


@pytest.mark.parametrize(
    ("word", "expected"),
    [(" ", None), ("Code Mandatory", "mandatory"), ("Same Code", "same"), ("No Code", "none")],
)
def test_every_value_posting_is_told_apart(word: str, expected: str | None) -> None:
    scene = Scene()
    scene.demand("ADM", word)
    assert [default.rule for default in scene.vendors("20000")["20000"].defaults] == ([expected] if expected else [])
    assert scene.book.unknown_words == frozenset()


def test_the_same_code_may_be_none() -> None:
    scene = Scene()
    scene.demand("SALES", "Same Code", dimensionValueCode="")
    assert scene.vendors("40000")["40000"].defaults == (DefaultDimension("DEPARTMENT", "", "same"),)


@pytest.mark.parametrize(("word", "expected"), [(" ", ""), ("Payment", "Payment"), ("All", "All")])
def test_every_block_of_a_vendor_is_decoded(word: str, expected: str) -> None:
    scene = Scene()
    scene.edit("vendors", "10000", blocked=word)
    assert scene.vendors("10000")["10000"].blocked == expected


def test_words_of_extensions_are_kept_and_reported_and_hold_up_nobody() -> None:
    scene = Scene()
    scene.edit("vendors", "10000", blocked="In Review")
    scene.demand("ADM", "One Of List")
    scene.demand("SALES", "Same Code")
    account = str(DATA[0].tables["accounts"][0]["number"])
    scene.edit("accounts", account, accountType="Statistical")
    found = scene.vendors("10000", "20000", "40000")
    assert found["10000"].blocked == "In Review"
    assert found["20000"] == VendorFacts("")
    assert found["40000"].defaults[0].rule == "same"
    assert scene.book.accounts(scene.company, AGE)[account].type == "Statistical"
    assert scene.book.unknown_words == {
        ("blocked", "In Review"),
        ("postingValidation", "One Of List"),
        ("accountType", "Statistical"),
    }


def test_odd_numbers_find_their_vendors_and_no_others() -> None:
    scene = Scene(more={"vendors": vendor_rows(ODD)})
    assert scene.vendors(*ODD).keys() == set(ODD)
    for number in ODD:
        assert scene.vendors(number, at_most=0).keys() == {number}


def test_a_number_is_compared_as_bc_compares_codes() -> None:
    scene = Scene(more={"vendors": vendor_rows(["V-AB", "GROßE"])})
    assert scene.vendors("v-ab", " V-AB ", "große").keys() == {"v-ab", " V-AB ", "große"}
    assert as_code("GROSSE") != as_code("große")


@pytest.mark.parametrize("number", ["", "  ", "1" * 21, "\ud800"])
def test_what_cannot_be_a_number_is_not_asked_for(number: str) -> None:
    scene = Scene()
    assert scene.requests(lambda scene: scene.vendors(number)) == []
    assert scene.vendors(number, "10000").keys() == {"10000"}


def test_hundreds_of_vendors_take_a_request_for_each_address_that_is_full() -> None:
    numbers = [f"V{place:019d}" for place in range(250)]
    for most in (12_000, 2_000):
        scene = Scene(max_url=most, more={"vendors": vendor_rows(numbers)})
        asked = scene.requests(lambda scene: scene.vendors(*numbers))
        assert scene.vendors(*numbers).keys() == set(numbers)
        assert max(len(HOST + path) for path in asked) <= most
        assert len(asked) == (3 if most == 12_000 else 6)


def test_a_vendor_that_was_found_is_believed_as_long_as_the_caller_allows() -> None:
    scene = Scene()
    assert scene.vendors("10000")["10000"].blocked == ""
    scene.edit("vendors", "10000", blocked="All")
    scene.clock.advance(AGE - 1)
    assert scene.vendors("10000")["10000"].blocked == ""
    assert scene.vendors("10000", at_most=60)["10000"].blocked == "All"
    assert scene.requests(lambda scene: scene.vendors("10000")) == []


def test_a_vendor_that_was_not_found_is_looked_up_again_after_a_minute() -> None:
    scene = Scene()
    assert scene.vendors("10000", "V-NEW").keys() == {"10000"}
    scene.business_central.add_row(DATA[0].name, "vendors", vendor_rows(["V-NEW"])[0])
    scene.clock.advance(MISSING_FOR - 1)
    assert scene.requests(lambda scene: scene.vendors("10000", "V-NEW")) == []
    scene.clock.advance(1)
    (asked,) = scene.requests(lambda scene: scene.vendors("10000", "V-NEW"))
    assert "10000" not in asked
    assert scene.vendors("V-NEW").keys() == {"V-NEW"}


# -- ages


@EVERY
def test_what_is_young_enough_takes_no_request_and_what_is_not_is_read_anew(read: Read) -> None:
    scene = Scene()
    first = read(scene)
    scene.clock.advance(AGE - 1)
    assert scene.requests(read) == []
    scene.clock.advance(1)
    assert scene.requests(read)
    assert read(scene) == first


def test_nothing_is_young_enough_for_a_caller_that_allows_no_age() -> None:
    scene = Scene()
    for _ in range(2):
        assert len(scene.requests(lambda scene: scene.values(at_most=0))) == 2
        assert len(scene.requests(lambda scene: scene.book.accounts(scene.company, 0))) == 1
        assert len(scene.requests(lambda scene: scene.book.window(scene.company, 0))) == 1
        assert len(scene.requests(lambda scene: scene.vendors("10000", at_most=0))) == 1


def test_companies_are_kept_apart() -> None:
    scene = Scene()
    scene.edit("vendors", "10000", blocked="All")
    assert scene.vendors("10000")["10000"].blocked == "All"
    assert scene.book.vendors(scene.other, ["10000"], AGE)["10000"].blocked == ""


@EVERY
def test_threads_that_ask_at_once_take_the_requests_of_one(read: Read) -> None:
    alone = len(Scene().requests(read))
    scene = Scene()
    handler, began, go_on = scene.business_central.handle, threading.Event(), threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        began.set()
        assert go_on.wait(5)
        return handler(request)

    scene.exchange.handler = answer
    before = scene.exchange.counts["GET"]
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(read(scene))) for _ in range(4)]
    threads[0].start()
    assert began.wait(5)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert scene.exchange.counts["GET"] - before == alone
    assert len(found) == 4
    assert all(each == found[0] for each in found)


# -- faults


@EVERY
def test_throttling_and_outages_pass_and_leave_nothing_behind(read: Read) -> None:
    scene = Scene()
    scene.exchange.faults = [Fault("answer", method="GET", status=429, headers={"Retry-After": "17"})]
    with pytest.raises(Throttled) as caught:
        read(scene)
    assert caught.value.retry_after == 17
    scene.exchange.faults = [Fault("answer", method="GET", status=503, times=None)]
    with pytest.raises(Outage):
        read(scene)
    scene.exchange.faults = []
    assert read(scene)


@pytest.mark.parametrize("fault", ["the age is over", "the caller allows none"])
def test_an_old_answer_is_no_substitute_for_one_that_cannot_be_had(fault: str) -> None:
    scene = Scene()
    scene.values()
    scene.exchange.faults = [Fault("answer", method="GET", status=503, times=None)]
    scene.clock.advance(AGE if fault == "the age is over" else 1)
    with pytest.raises(Outage):
        scene.values(at_most=AGE if fault == "the age is over" else 0)


@pytest.mark.parametrize(
    ("read", "path", "old", "new"),
    [
        (values, FINANCE, '"blocked":false', '"blocked":"false"'),
        (values, FINANCE, '"dimensionValueType"', '"valueType"'),
        (values, "/dimensions?", '"code":', '"key":'),
        (accounts, "/accounts?", '"directPosting":', '"posting":'),
        (accounts, "/accounts?", '"number":"', '"number":null,"name":"'),
        (window, "/generalLedgerSetup?", '"0001-01-01"', '"soon"'),
        (vendors, "/vendors?", '"blocked":"_x0020_"', '"blocked":0'),
        (vendors, "/vendors?", '"defaultDimensions":', '"rules":'),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_an_outage_that_names_the_set(
    read: Read, path: str, old: str, new: str
) -> None:
    scene = Scene()
    scene.garble(path, old, new)
    name = "dimensionValues" if path == FINANCE else path.strip("/?")
    with pytest.raises(Outage, match=f"{name} cannot be read"):
        read(scene)


def test_records_that_break_a_vendors_answer_are_an_outage_that_names_the_set() -> None:
    scene = Scene()
    scene.business_central.unlistable[str(DATA[0].tables["vendors"][0]["id"])] = "always"
    with pytest.raises(Outage, match="vendors cannot be read"):
        scene.vendors("10000")

"""The digest: exact sums, short lists that say what they leave out, plain lines for people, and a message of at most 32 KiB."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.digest import Digest, Parked, Place, Room, as_data, causes_of, due, plain
from connector.decisions.digest_text import MOST_BYTES, WIDTH, message, subject, text
from connector.decisions.states import Status

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
SEAL = "0123456789abcdef" * 4
MISSING = {
    "code": "SUPPLIER_MISSING",
    "message": "Vendor 50000 of 106021 has no supplier in ServiceNow.",
    "remedy": "Create the supplier in ServiceNow, then replay.",
}
REFUSED = {
    "code": "REJECTED_BY_SERVICENOW",
    "message": "sn_fcms_intg_imp_order answered error: Nod Publishers is unknown",
    "remedy": "Correct the named value in BC, then replay.",
}


def parked(
    number: str, *reasons: dict[str, str], amount: str = "100.10", currency: str = "USD", hours: int = 1
) -> Parked:
    return Parked(f"id of {number}", number, amount, currency, timedelta(hours=hours), reasons or (MISSING,))


def place(*ones: Parked, company: str = "us", entity: str = "purchaseOrders", **more: Any) -> Place:
    counts = {Status.DONE.value: 10, Status.PARKED.value: len(ones)}
    causes = causes_of(company, entity, ones)
    return Place(company, entity, counts, ones, causes, more.get("fresh", 0), more.get("resolved", {}), SEAL)


def digest(*places: Place, since: datetime | None = NOW - timedelta(days=1), unreadable: int = 0) -> Digest:
    return Digest(NOW, since, places, unreadable)


# -- what is counted


def test_amounts_are_summed_exactly_by_currency() -> None:
    ones = [parked("1", amount="0.1"), parked("2", amount="0.2"), parked("3", amount="-7.005", currency="KWD")]
    (cause,) = place(*ones, parked("4", amount="", currency="")).causes
    assert cause.count == 4
    assert cause.amounts == {"USD": Decimal("0.3"), "KWD": Decimal("-7.005")}
    data: Any = as_data(digest(place(*ones)))
    assert data["places"][0]["causes"][0]["amounts"] == {"KWD": "-7.005", "USD": "0.3"}


@given(st.lists(st.integers(-(10**30), 10**30)))
def test_no_sum_loses_a_digit(amounts: list[int]) -> None:
    ones = [parked(str(number), amount=f"{amount}.25") for number, amount in enumerate(amounts)]
    totals = [cause.amounts["USD"] for cause in place(*ones).causes]
    assert sum(map(Fraction, totals)) == sum(Fraction(one.amount) for one in ones)


def test_a_document_counts_once_under_each_of_its_causes_and_the_oldest_is_the_example() -> None:
    ones = [parked("1", MISSING, MISSING, REFUSED, hours=2), parked("2", MISSING, hours=50)]
    first, second = place(*ones).causes
    assert (first.code, first.count, first.numbers, first.oldest) == (
        "SUPPLIER_MISSING",
        2,
        ["2", "1"],
        timedelta(hours=50),
    )
    assert first.example == ("2", MISSING["message"], MISSING["remedy"])
    assert (second.code, second.count) == ("REJECTED_BY_SERVICENOW", 1)


def test_more_than_five_numbers_are_counted() -> None:
    data: Any = as_data(digest(place(*(parked(str(number)) for number in range(8)))))
    cause = data["places"][0]["causes"][0]
    assert (len(cause["numbers"]), cause["numbers_left_out"]) == (5, 3)
    assert " and 3 more" in text(digest(place(*(parked(str(number)) for number in range(8)))))


def test_words_that_are_not_ours_are_left_out() -> None:
    one = digest(place(parked("1", REFUSED)))
    assert "Nod Publishers" not in message(one)
    assert "python -m connector parked 1" in text(one)
    data: Any = as_data(one)
    assert data["places"][0]["causes"][0]["example"]["message"] == ""
    assert MISSING["message"] in text(digest(place(parked("1"))))


def test_what_is_resolved_is_not_known_as_soon_as_one_place_does_not_know() -> None:
    known = place(resolved={"done": 2, "discarded": 1})
    assert digest(known, known).resolved == {"done": 4, "discarded": 2}
    assert digest(known, place(resolved=None)).resolved is None
    assert "no longer parked: 3 (2 in ServiceNow, 1 given up)" in text(digest(known))
    assert "no longer parked" not in text(digest(place(resolved=None)))


# -- when


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, True),
        (NOW, False),
        (NOW - timedelta(minutes=5), False),
        (NOW - timedelta(hours=4), False),
        (NOW - timedelta(hours=6), True),  # yesterday, made up for late
        (NOW - timedelta(hours=24) + timedelta(seconds=5), True),
        (NOW - timedelta(days=9), True),
        (NOW + timedelta(hours=1), False),
    ],
)
def test_one_digest_for_each_day(last: datetime | None, expected: bool) -> None:
    assert due(last, NOW) is expected


def test_a_timer_at_midnight_sends_one_a_day_however_the_clock_shakes() -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    for early in (-2, 0, 2):
        for late in (-2, 0, 2):
            last = midnight + timedelta(seconds=early)
            assert due(last, midnight + timedelta(days=1, seconds=late))
            assert not due(last, midnight + timedelta(seconds=late))


# -- what it looks like


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (digest(place()), "Nothing is parked"),
        (digest(place(), unreadable=2), "Nothing is parked; 2 unreadable messages"),
        (digest(place(parked("1"))), "1 document parked: 1 x SUPPLIER_MISSING"),
        (
            digest(place(parked("1"), parked("2", MISSING, REFUSED)), unreadable=1),
            "2 documents parked: 2 x SUPPLIER_MISSING, 1 x REJECTED_BY_SERVICENOW; 1 unreadable message",
        ),
        (
            digest(place(*(parked(code, MISSING | {"code": code}) for code in "ABCDE"))),
            "5 documents parked: 1 x A, 1 x B, 1 x C, 2 other causes",
        ),
        (digest(place(parked("1")), place(parked("2"), company="de")), "2 documents parked: 2 x SUPPLIER_MISSING"),
    ],
)
def test_the_subject_says_it_all(given_: Digest, expected: str) -> None:
    assert subject(given_) == expected


def test_the_text_is_what_a_clerk_can_work_with() -> None:
    one = digest(place(parked("106021", hours=51), parked("106022", hours=3), fresh=1, resolved={"done": 2}))
    assert text(one) == (
        "Business Central to ServiceNow, 2026-03-02 05:00 UTC\n"
        "\n"
        "2 documents are parked: what is wrong has to be mended before they can go on.\n"
        "\n"
        "SUPPLIER_MISSING: 2 x purchaseOrders in us, 200.2 USD, oldest 2 d 3 h\n"
        "  Documents: 106021, 106022\n"
        "  Wrong: Vendor 50000 of 106021 has no supplier in ServiceNow.\n"
        "  To do: Create the supplier in ServiceNow, then replay.\n"
        "\n"
        "Parked for the longest time:\n"
        "  106021 (purchaseOrders in us): 2 d 3 h, SUPPLIER_MISSING\n"
        "  106022 (purchaseOrders in us): 3 h 0 min, SUPPLIER_MISSING\n"
        "\n"
        "Since the last digest (2026-03-01 05:00 UTC):\n"
        "  newly parked: 1\n"
        "  no longer parked: 2 (2 in ServiceNow)\n"
        "\n"
        "Where all documents stand:\n"
        "  purchaseOrders in us: 12 seen, 10 in ServiceNow, 2 parked\n"
        "\n"
        "Seals of the ledger (keep them where nobody can change them):\n"
        "  us purchaseOrders 12\n"
        f"  {SEAL}\n"
    )


anything = st.text(max_size=400)
reasons = st.builds(
    lambda code, message, remedy: {"code": code, "message": message, "remedy": remedy},
    st.sampled_from(["SUPPLIER_MISSING", "COST_CENTRE_NOT_TRANSLATED", "NET_DOES_NOT_ADD_UP", "WORKER_DIED"]),
    anything,
    anything,
)
documents = st.builds(
    lambda number, amount, currency, hours, listed: Parked("id", number, str(amount), currency, hours, listed),
    anything,
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.sampled_from(["USD", "EUR", ""]),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=900)),
    st.lists(reasons, min_size=1, max_size=4),
)
places = st.builds(lambda ones, company: place(*ones, company=company), st.lists(documents, max_size=6), st.just("us"))


@given(st.lists(places, max_size=5), st.integers(0, 3))
def test_every_line_is_plain_and_short_whatever_stands_in_a_document(listed: list[Place], unreadable: int) -> None:
    one = digest(*listed, unreadable=unreadable)
    assert len(subject(one)) <= WIDTH
    for line in text(one).splitlines():
        assert len(line) <= WIDTH
        assert line.isprintable()
    assert json.loads(message(one))["subject"] == subject(one)


@pytest.mark.parametrize("count", [1, 60])
@pytest.mark.parametrize("filling", ['"', "\U0001f600"])
def test_a_message_is_never_larger_than_32_kib_and_says_what_it_leaves_out(count: int, filling: str) -> None:
    def listed(number: int) -> list[Parked]:
        every = [
            {"code": f"CAUSE_{number}_{other}", "message": filling * 900, "remedy": filling * 900}
            for other in range(40)
        ]
        return [parked(filling * 200 + str(other), reason, hours=other) for other, reason in enumerate(every)]

    one = digest(*(place(*listed(number), company=f"c{number}") for number in range(count)))
    written = message(one)
    assert len(written.encode()) <= MOST_BYTES
    body = json.loads(written)
    assert body["v"] == 1
    assert body["subject"].startswith(f"{40 * count} documents parked: ")
    told = body["digest"]
    assert told["parked"] == 40 * count
    assert len(told["places"]) + told["places_left_out"] == count
    for each in told["places"]:
        assert len(each["causes"]) + each["causes_left_out"] == 40
    assert "not listed here" in body["text"]


def test_where_places_are_left_out_it_is_those_without_anything_parked() -> None:
    busy = place(parked("1"), company="busy")
    one = digest(*(place(company=f"c{number}") for number in range(9)), busy)
    data: Any = as_data(one, Room(1, 5))
    assert [each["company"] for each in data["places"]] == ["busy"]
    assert data["places_left_out"] == 9


@given(st.text(), st.integers(2, 50))
def test_plain_text_is_one_printable_line(given_: str, most: int) -> None:
    line = plain(given_, most)
    assert line.isprintable()
    assert len(line) <= most
    assert plain(line, most) == line


def test_states_are_all_named() -> None:
    counts = Counter({status.value: 1 for status in Status})
    one = digest(Place("us", "purchaseOrders", counts, (), (), 0, {}, SEAL))
    told = " ".join(text(one).split())
    for words in ("not to be carried yet", "on their way", "in work", "superseded", "closed", "given up"):
        assert f"1 {words}" in told

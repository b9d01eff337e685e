"""Faults of a document: each one alone gives its own code, all that need one thing different give none, all come at once."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.mapping import map_document
from connector.decisions.reasons import fitting
from connector.decisions.release import CAUSES
from connector.decisions.severity import SEVERITY, any_asked, severity, weighed
from connector.decisions.states import Status
from connector.errors import DocumentFault, Reason
from connector.model.checks import Checks, Severity
from connector.model.documents import Document, Line
from connector.model.profile import Profile
from connector.model.references import AccountFacts, CostCentreFacts, ValueFacts
from tests.unit.builders import SUPPLIERS, invoice, line, order
from tests.unit.fault_samples import (
    ADM,
    BEFORE,
    KNOWN,
    MAIN,
    PLAIN,
    SALES,
    WORDS,
    Sample,
    at,
    centre,
    charted,
    found,
    freight,
    ruled,
    twins,
    valued,
    vendor,
    window,
)
from tests.unit.fault_table import SAMPLES

LEVELS: tuple[Severity, ...] = ("park", "warn", "off")
named = pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.code}: {one.name}")


def codes(reasons: list[Reason]) -> set[str]:
    """The codes of these reasons."""
    return {reason.code for reason in reasons}


@named
def test_a_fault_gives_its_own_code_and_no_other(sample: Sample) -> None:
    assert codes(sample.wrong()) == {sample.code}


@named
def test_a_near_miss_is_no_fault(sample: Sample) -> None:
    assert sample.near() == []


def test_every_fault_whose_severity_can_be_set_and_every_cause_has_a_sample() -> None:
    assert (set(SEVERITY) | CAUSES) - {sample.code for sample in SAMPLES} == set()


@pytest.mark.parametrize("make", [order, invoice])
def test_a_sound_document_has_no_fault(make: Any) -> None:
    document = make(line(10000), freight(sequence=20000, dimensions=at(SALES)))
    assert found(document) == []


@pytest.mark.parametrize("status", [Status.WAITING, Status.PENDING, Status.SUPERSEDED, Status.CLOSED, Status.DISCARDED])
def test_a_twin_of_which_nothing_is_in_servicenow_is_no_fault(status: Status) -> None:
    assert twins(status, staged=False, sent=False) == []


def test_a_constant_whose_word_is_empty_is_named_as_such() -> None:
    data = PLAIN.model_dump()
    kind = {"constant": "Standard", "translate": "units", "mandatory": True}
    data["routes"]["purchaseOrders"]["header"]["columns"]["u_order_type"] = kind
    words = WORDS.model_copy(update={"units": {**WORDS.units, "Standard": ""}})
    (reason,) = found(order(), ruled(Profile.model_validate(data), words))
    assert (reason.code, reason.where) == ("VALUE_MISSING", "")
    assert reason.message == "u_order_type must not be empty, and the word for its constant is."


def test_a_warehouse_whose_code_has_blanks_and_dots_is_named_as_the_checks_file_takes_it() -> None:
    words = WORDS.model_copy(update={"locations": {"OUT. LOG.": "Outsourced Logistics"}})
    (reason,) = found(order(line(location="OUT. LOG.")), ruled(PLAIN, words, warehouses=MAIN))
    section = reason.remedy.removeprefix("Add ").partition(" to the checks file")[0]
    assert Checks.model_validate(tomllib.loads(section)).of("us").warehouses.keys() == {"OUT. LOG."}


# -- several at once


def five(*lines: Line, **changes: Any) -> tuple[Document, Any]:
    """A document with two faults of its own and three of what it refers to, and the master data that shows them."""
    lines = lines or (
        line(10000, dimensions=at(ADM, ("AREA", "70"))),
        freight("8240", 20000),
    )
    net = sum((one.net_amount for one in lines), Decimal(0)) + 1
    document = order(*lines, payment_terms="COD", net_total=net, **changes)
    document = replace(document, gross_total=net + document.tax_total)
    references = replace(
        charted(AccountFacts("Posting", True, True)),
        cost_centres=centre(CostCentreFacts(None, BEFORE, True)).cost_centres,
    )
    return document, references


FIVE = {
    "NET_DOES_NOT_ADD_UP",
    "PAYMENT_TERM_NOT_TRANSLATED",
    "DIMENSION_VALUE_MISSING",
    "ACCOUNT_BLOCKED",
    "COST_CENTRE_NOT_VALID",
}


def test_five_faults_at_once_are_five_reasons() -> None:
    document, references = five()
    reasons = found(document, references=references)
    assert len(reasons) == 5
    assert codes(reasons) == FIVE


@given(st.permutations([line(10000, dimensions=at(ADM, ("AREA", "70"))), line(20000), freight("8240", 30000)]))
def test_the_order_of_lines_changes_nothing_about_the_faults(lines: list[Line]) -> None:
    document, references = five(*lines)
    reasons = found(document, references=references)
    assert codes(reasons) == FIVE
    assert {(reason.code, reason.about, reason.found) for reason in reasons} == {
        (reason.code, reason.about, reason.found) for reason in found(five(*sorted_(lines))[0], references=references)
    }


def sorted_(lines: list[Line]) -> list[Line]:
    """The lines in the order of their numbers."""
    return sorted(lines, key=lambda one: one.sequence)


def test_a_fault_of_three_hundred_lines_is_one_reason_that_names_the_first() -> None:
    document = order(*(freight("8240", 10000 * number) for number in range(1, 301)))
    (reason,) = found(document, references=charted(AccountFacts("Posting", True, True)))
    assert reason.code == "ACCOUNT_BLOCKED"
    assert reason.where == "10000, 20000, 30000, 40000, 50000 and 295 more"
    (reason,) = found(document, ruled(mandatory_dimensions=("AREA",)))
    assert reason.message.startswith("300 lines have no value of the dimension AREA")
    assert reason.where.endswith("and 295 more")


def test_a_fault_of_the_header_and_its_lines_is_one_reason_of_the_header() -> None:
    (reason,) = found(order(line(10000), line(20000)), references=valued(ADM, ValueFacts("Standard", True)))
    assert reason.where == ""


def test_more_reasons_than_fit_on_record_are_counted_in_a_last_one() -> None:
    reasons = found(order(*(line(10000 * number, description="x" * 101) for number in range(1, 301))))
    listed = fitting(reasons)
    assert {one["code"] for one in listed[:-1]} == {"TEXT_TOO_LONG"}
    assert listed[-1]["code"] == "MORE_REASONS"
    assert f"{300 - len(listed) + 1} more" in listed[-1]["message"]
    assert all(one["code"] == "TEXT_TOO_LONG" for one in fitting(reasons[:2]))


# -- what is sound


pairs = st.sampled_from(sorted(pair for pair in KNOWN.values if pair != ("DEPARTMENT", "PROD")))
dimensions = st.lists(pairs, max_size=2, unique_by=lambda pair: pair[0]).map(lambda found: at(*found))


@given(st.lists(st.tuples(st.booleans(), dimensions), max_size=5), dimensions, st.sampled_from([order, invoice]))
def test_a_document_whose_references_are_all_sound_has_no_fault(
    parts: list[tuple[bool, Any]], header: Any, make: Any
) -> None:
    lines = [
        freight(sequence=10000 * number, dimensions=own) if account else line(10000 * number, dimensions=own)
        for number, (account, own) in enumerate(parts, start=1)
    ]
    assert found(make(*lines, dimensions=header)) == []


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_exactly_the_lines_with_the_fault_are_named(wrong: list[bool]) -> None:
    lines = [
        line(10000 * number, dimensions=at(ADM, ("AREA", "70" if bad else "10")))
        for number, bad in enumerate(wrong, start=1)
    ]
    where = [str(one.sequence) for one, bad in zip(lines, wrong, strict=True) if bad]
    more = f" and {len(where) - 5} more" if len(where) > 5 else ""
    expected = [("DIMENSION_VALUE_MISSING", ", ".join(where[:5]) + more)] if where else []
    assert [(reason.code, reason.where) for reason in found(order(*lines))] == expected


def test_what_a_system_does_not_tell_is_not_held_against_a_document() -> None:
    document = order(line(10000), freight(sequence=20000))
    silent = replace(
        KNOWN,
        values=dict.fromkeys(KNOWN.values, ValueFacts()),
        window=window(None, None).window,
        vendors=vendor("").vendors,
        cost_centres=dict.fromkeys(KNOWN.cost_centres, (CostCentreFacts(),)),
    )
    assert found(document, references=silent) == []


# -- severity


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("sample", {one.code: one for one in SAMPLES}.values(), ids=lambda one: one.code)
def test_a_fault_does_what_its_severity_says(sample: Sample, level: Severity) -> None:
    reasons = sample.wrong()
    checks = Checks(severity={sample.code: level})
    parking, noted = weighed(reasons, checks)
    assert parking == (reasons if level == "park" else [])
    assert noted == (reasons if level == "warn" else [])
    assert any_asked([sample.code], checks) is (level != "off")


@pytest.mark.parametrize("code", sorted({sample.code for sample in SAMPLES}))
def test_without_a_checks_file_a_fault_parks_unless_it_is_known_to_be_harmless(code: str) -> None:
    harmless = {"VENDOR_BLOCKED_FOR_PAYMENT", "POSTING_DATE_OUTSIDE_WINDOW"}
    assert severity(code, Checks()) == ("warn" if code in harmless else "park")


@pytest.mark.parametrize("level", LEVELS)
def test_a_total_that_is_off_is_carried_parked_or_noted_as_the_checks_file_says(level: Severity) -> None:
    code = "GROSS_DOES_NOT_ADD_UP"
    rules, document = replace(ruled(), checks=Checks(severity={code: level})), order(gross_total=Decimal(107))
    if level == "park":
        with pytest.raises(DocumentFault) as fault:
            map_document(document, rules, SUPPLIERS)
        assert codes(list(fault.value.reasons)) == {code}
    else:
        mapped = map_document(document, rules, SUPPLIERS)
        assert len(mapped.rows) == 2
        assert codes(list(mapped.noted)) == ({code} if level == "warn" else set())


def test_a_severity_concerns_its_own_code_only() -> None:
    document, references = five()
    reasons = found(document, references=references)
    parking, noted = weighed(reasons, Checks(severity={"ACCOUNT_BLOCKED": "warn", "COST_CENTRE_NOT_VALID": "off"}))
    assert codes(noted) == {"ACCOUNT_BLOCKED"}
    assert codes(parking) == FIVE - {"ACCOUNT_BLOCKED", "COST_CENTRE_NOT_VALID"}

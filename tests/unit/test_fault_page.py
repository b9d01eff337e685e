"""The page on faults is true: it has every code there is and no other, and says of each what the code says."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from connector.decisions.frozen import REASON as FROZEN
from connector.decisions.release import CAUSES, FIRST_WAIT, GROWTH, LONGEST_WAIT, MOST_TRIES, SAID
from connector.decisions.severity import SEVERITY
from connector.decisions.translation import MISSING_CODES
from connector.errors import Reason
from connector.flows import references
from tests.unit.fault_table import SAMPLES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text("utf-8")
CODE = re.compile(r"[A-Z]+(?:_[A-Z]+)+")

TABLED = {
    "dimension_faults": {
        "DIMENSION_VALUE_MISSING",
        "DIMENSION_VALUE_NOT_FOR_POSTING",
        "DIMENSION_VALUE_BLOCKED",
    },
    "frozen": {FROZEN},
    "reference_faults": {
        "COST_CENTRE_UNKNOWN",
        "COST_CENTRE_INACTIVE",
        "COST_CENTRE_NOT_VALID",
        "ACCOUNT_UNKNOWN",
        "ACCOUNT_NOT_FOR_POSTING",
        "ACCOUNT_BLOCKED",
        "ACCOUNT_NO_DIRECT_POSTING",
    },
    "translation": MISSING_CODES,
    "validation": {"NET_DOES_NOT_ADD_UP", "TAX_DOES_NOT_ADD_UP", "GROSS_DOES_NOT_ADD_UP"},
}
"""By module, the codes that are not written in the call that makes the reason."""

IN_FLOWS = {
    "ATTACHMENT_REFUSED": "flows/test_files_refused.py::"
    "test_a_file_that_servicenow_will_not_have_parks_with_its_name_and_a_remedy",
    "ATTACHMENT_TOO_LARGE": "flows/test_files_refused.py::"
    "test_a_file_that_is_too_large_parks_and_goes_on_when_the_profile_allows_it",
    "CARRIED_BY_INVOICE": "flows/test_liability.py::test_an_order_whose_invoice_was_faster_is_parked_and_not_owed_twice",
    "DOCUMENT_NOT_READABLE_IN_BC": "flows/test_main_job_parking.py::"
    "test_a_dangling_dimension_parks_exactly_its_order_with_few_more_calls",
    "FILE_NOT_READABLE_IN_BC": "adapters/test_file_reader.py::test_a_document_whose_list_breaks_the_answer_is_isolated",
    "MORE_REASONS": "unit/test_fault_codes.py::test_more_reasons_than_fit_on_record_are_counted_in_a_last_one",
    "RECORD_NOT_FOUND": "flows/test_frozen.py::"
    "test_a_record_that_is_not_there_any_more_parks_the_edit_and_a_replay_makes_it_anew",
    "RECORD_UNKNOWN": "flows/test_files_without_record.py::"
    "test_an_order_whose_record_nobody_named_is_parked_with_its_rows_there_and_no_file_goes_astray",
    "UNFORESEEN_FAULT": "flows/test_unforeseen.py::test_one_crash_in_a_unit_of_200_parks_that_document_with_its_exception",
    "WORKER_DIED": "flows/test_rescue.py::test_a_document_whose_workers_die_three_times_is_parked_with_a_note",
}
"""The codes without a sample of their own, and the test that meets each."""

BY_OTHER_MEANS = {
    "FROZEN_IN_SERVICENOW": "flows/test_frozen.py::"
    "test_parking_is_a_choice_of_the_profile_and_ends_when_the_record_is_set_back",
    "RECEIPT_LINE_UNKNOWN": "flows/test_receipts.py::"
    "test_a_line_that_the_order_does_not_have_parks_the_receipt_until_the_order_is_staged_with_it",
}
"""What goes on by itself, not by release: by the state of the record, and by the order being staged again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One place that makes a reason. `code`: "" when it is computed; `said`: the fixed words of message and remedy."""

    module: str
    code: str
    said: tuple[str, str]
    about: bool
    placeholders: str


def calls() -> Iterator[Call]:
    for file in sorted((ROOT / "connector").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reason":
                given = dict(zip(Reason.__match_args__, node.args, strict=False))
                given |= {one.arg: one.value for one in node.keywords if one.arg}
                yield Call(
                    file.stem,
                    str(given["code"].value) if isinstance(given["code"], ast.Constant) else "",
                    (words(given["message"]), words(given["remedy"])),
                    "about" in given,
                    ast.unparse(given["message"]) + ast.unparse(given["remedy"]),
                )


def words(node: ast.expr) -> str:
    """The fixed words of a text; what is filled in is left out."""
    parts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))
    return " ".join(parts)


CALLS = list(calls())
GIVEN = {call.code for call in CALLS if call.code} | set().union(*TABLED.values())


def rows() -> dict[str, list[str]]:
    """The page's rows by their code; a code that is there twice fails."""
    found: dict[str, list[str]] = {}
    for text in PAGE.splitlines():
        cells = [cell.strip() for cell in text.strip("|").split(" | ")]
        if (match := re.fullmatch(r"\|? ?`([A-Z_]+)`", cells[0].strip())) and len(cells) == 5:
            assert match[1] not in found, match[1]
            found[match[1]] = [cell.strip(" |") for cell in cells]
    return found


ROWS = rows()


# -- the codes


def test_the_page_has_every_code_and_no_other() -> None:
    assert set(ROWS) == GIVEN


def test_every_code_that_looks_like_one_on_the_page_is_one_or_a_setting() -> None:
    settings = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))["Values"]
    assert set(CODE.findall(PAGE)) - GIVEN - set(settings) == set()


def test_codes_that_are_computed_are_all_in_the_table() -> None:
    assert {call.module for call in CALLS if not call.code} == set(TABLED)
    for module in TABLED:
        source = ast.parse((ROOT / "connector" / "decisions" / f"{module}.py").read_text("utf-8"))
        texts = {one.value for one in ast.walk(source) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        codes = {text for text in texts if CODE.fullmatch(text)}
        literal = {call.code for call in CALLS if call.module == module and call.code}
        assert codes == TABLED[module] | literal, module


def test_whatever_else_speaks_of_codes_speaks_of_real_ones() -> None:
    groups = [
        getattr(references, name) for name in ("VALUE_CODES", "ACCOUNT_CODES", "VENDOR_CODES", "COST_CENTRE_CODES")
    ]
    assert set(SEVERITY) | CAUSES | SAID | set().union(*groups) <= GIVEN


def test_every_code_has_a_sample_or_a_test_that_meets_it() -> None:
    assert {sample.code for sample in SAMPLES} | set(IN_FLOWS) == GIVEN
    assert not {sample.code for sample in SAMPLES} & set(IN_FLOWS)


@pytest.mark.parametrize(("code", "pointer"), [*IN_FLOWS.items(), *BY_OTHER_MEANS.items()])
def test_the_test_that_meets_a_code_exists(code: str, pointer: str) -> None:
    file, name = pointer.split("::")
    text = (ROOT / "tests" / file).read_text("utf-8")
    functions = {one.name for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef)}
    assert name in functions
    assert f'"{code}"' in text


# -- what the page says of them


@pytest.mark.parametrize("code", sorted(GIVEN))
def test_severity_is_as_the_page_says(code: str) -> None:
    assert ROWS[code][3] == (f"`{SEVERITY[code]}`" if code in SEVERITY else "always parks")


@pytest.mark.parametrize("code", sorted(GIVEN))
def test_what_goes_on_by_itself_is_as_the_page_says(code: str) -> None:
    sampled = [reason for sample in SAMPLES if sample.code == code for reason in sample.wrong()]
    about = any(reason.about for reason in sampled) or any(call.about for call in CALLS if call.code == code)
    if code in SAID:
        assert ROWS[code][4] == "tried again"
    else:
        assert ROWS[code][4] == ("yes" if about or code in CAUSES or code in BY_OTHER_MEANS else "no")


def test_the_waits_are_as_the_page_says() -> None:
    numbers = {"four": 4, "six": 6}
    said = re.search(r"waits (\w+) times as long .* from a (\w+) up to (\w+) hours.* done (\w+) times", PAGE, re.DOTALL)
    assert said is not None
    assert (numbers[said[1]], said[2], numbers[said[4]]) == (GROWTH, "minute", MOST_TRIES)
    assert timedelta(minutes=1) == FIRST_WAIT
    assert timedelta(hours=numbers[said[3]]) == LONGEST_WAIT


@pytest.mark.parametrize("code", sorted(GIVEN))
def test_the_page_says_what_it_means_and_where_to_go(code: str) -> None:
    _, means, remedy, _, _ = ROWS[code]
    assert means.endswith(".")
    assert remedy.endswith(".")
    assert names_a_place(remedy)


# -- what a clerk reads


PLACES = re.compile(
    r"\bBC\b|Business Central|ServiceNow|the (?:checks|translations) file|the profile|\[profile\]|translation table"
    r"|\b[Rr]eplay\b|\b[Dd]iscard\b|function app"
)
PROGRAMMERS = re.compile(
    r"\b(?:None|True|False|null|NaN|Traceback|[Ee]xception|stack trace|[Vv]alue error|[A-Za-z]+Error"
    r"|[A-Z][a-z]+(?:[A-Z][a-z]+)+)\b"
)
OUR_WORDS = {"ServiceNow"}


def names_a_place(remedy: str) -> bool:
    """Whether a remedy says where to go: a system, a file or a command."""
    return PLACES.search(remedy) is not None


def of_a_programmer(text: str) -> set[str]:
    """Words that only a programmer would use."""
    return set(PROGRAMMERS.findall(text)) - OUR_WORDS


SAID_BY_SAMPLES = [(sample.code, reason) for sample in SAMPLES for reason in sample.wrong()[:3]]


@pytest.mark.parametrize(("code", "reason"), SAID_BY_SAMPLES, ids=lambda one: one if isinstance(one, str) else "")
def test_a_reason_is_in_words_that_a_clerk_understands(code: str, reason: Reason) -> None:
    assert names_a_place(reason.remedy), reason.remedy
    assert reason.message.endswith(".") or code == "REJECTED_BY_SERVICENOW"
    assert of_a_programmer(reason.message) == set()
    assert of_a_programmer(reason.remedy) == set()
    if reason.about:
        assert "replay" not in reason.remedy, "it goes on by itself"


def test_so_are_the_fixed_words_of_all_others() -> None:
    for call in CALLS:
        message, remedy = call.said
        assert of_a_programmer(message + remedy) == set(), call
        if call.code in IN_FLOWS:
            assert names_a_place(remedy), call


def test_only_a_fault_nobody_foresaw_names_the_class_of_an_error() -> None:
    # It is for whoever mends the connector, and the only hint there is.
    told = {call.code for call in CALLS if "type(" in call.placeholders or "__name__" in call.placeholders}
    assert told == {"UNFORESEEN_FAULT"}

"""The alignment report is empty when both sides agree, and names each thing that is broken on one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from connector.decisions.alignment import plan
from connector.decisions.alignment_actions import Rules
from connector.decisions.alignment_report import Demands, Difference, Missing, OpenDocument, Report, Stopped, report
from connector.model.alignment import CostCentre, MappingRow, Value
from connector.model.checks import Warehouse

TODAY = date(2026, 5, 4)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
EARLIER, LATER = datetime(2026, 5, 1, 8, tzinfo=UTC), datetime(2026, 5, 2, 8, tzinfo=UTC)

CENTRES = [
    CostCentre("id1", "1", "71", "All", updated=EARLIER),
    CostCentre("id11", "11", "711", "North", "id1", available=True, updated=EARLIER),
]
VALUES = [
    Value("1", "All", "Begin-Total", modified=LATER),
    Value("11", "North", modified=LATER),
    Value("11T", "Total 1", "End-Total", totaling="1..11T"),
]
ROWS = [MappingRow("id1", "1", "71", "All"), MappingRow("id11", "11", "711", "North", "id1")]
DOCUMENTS = [OpenDocument("106001", "11", "EAST"), OpenDocument("106002", "1", "EAST")]
WAREHOUSES = Demands({"EAST": Warehouse(cost_centres=("11", "1"))})


def north(**more: object) -> list[CostCentre]:
    return [CENTRES[0], replace(CENTRES[1], **more)]  # type: ignore[arg-type]


def value_11(**more: object) -> list[Value]:
    return [VALUES[0], replace(VALUES[1], **more), VALUES[2]]  # type: ignore[arg-type]


def told(
    centres: list[CostCentre] | None = None,
    values: list[Value] | None = None,
    rows: list[MappingRow] | None = None,
    documents: list[OpenDocument] | None = None,
    demands: Demands = WAREHOUSES,
    rules: Rules | None = None,
) -> Report:
    return report(
        CENTRES if centres is None else centres,
        VALUES if values is None else values,
        ROWS if rows is None else rows,
        rules or Rules(),
        TODAY,
        DOCUMENTS if documents is None else documents,
        demands,
    )


def stopped(of: Report) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.document.number, one.codes) for one in of.stopped]


def test_two_sides_that_agree_make_an_empty_report() -> None:
    assert told() == Report((), (), (), ())
    assert told().aligned
    assert told(rows=[]).aligned


def test_a_report_needs_neither_documents_nor_demands() -> None:
    assert report(CENTRES, VALUES, ROWS, Rules(), TODAY).aligned


@pytest.mark.parametrize(
    ("centres", "values", "difference"),
    [
        (north(name="New"), None, Difference("11", "id11", "name", "New", "North", "servicenow", EARLIER)),
        (None, value_11(name="New"), Difference("11", "id11", "name", "North", "New", "business_central", LATER)),
        (north(name="New"), value_11(name="Newer"), Difference("11", "id11", "name", "New", "Newer", "", LATER)),
        (north(parent=""), None, Difference("11", "id11", "parent", "", "1", "servicenow", EARLIER)),
        (None, VALUES[:2], Difference("11", "id11", "parent", "1", "", "business_central", LATER)),
        (
            None,
            value_11(blocked=True),
            Difference("11", "id11", "blocked", "open", "blocked", "business_central", LATER),
        ),
        (
            north(available=False),
            None,
            Difference("11", "id11", "blocked", "not available for use", "open", "servicenow", EARLIER),
        ),
        (
            north(valid_to=YESTERDAY),
            None,
            Difference("11", "id11", "validity", "valid to 2026-05-03", "open", "", LATER),
        ),
        (
            north(valid_from=TOMORROW),
            None,
            Difference("11", "id11", "validity", "valid from 2026-05-05", "open", "", LATER),
        ),
    ],
)
def test_each_difference_is_told_with_the_side_that_left_and_since_when(
    centres: list[CostCentre] | None, values: list[Value] | None, difference: Difference
) -> None:
    assert told(centres, values).differences == (difference,)


def test_without_an_agreement_nobody_is_told_to_have_left_and_the_later_stamp_counts() -> None:
    (found,) = told(north(name="New"), rows=[]).differences
    assert (found.changed, found.since) == ("", LATER)


@pytest.mark.parametrize(
    ("centres", "values"), [(north(name="New", updated=None), None), (north(name="New"), value_11(modified=None))]
)
def test_without_a_stamp_nobody_knows_since_when(centres: list[CostCentre], values: list[Value] | None) -> None:
    (found,) = told(centres, values, rows=[]).differences
    assert found.since is None


def test_what_is_closed_on_both_sides_is_no_difference_whatever_closed_it() -> None:
    for closing in ({"available": False}, {"valid_to": YESTERDAY}):
        assert told(north(**closing), value_11(blocked=True), documents=[]).aligned
    assert told(north(valid_from=TODAY, valid_to=TODAY)).aligned


def test_validity_is_told_as_a_span() -> None:
    (found,) = told(north(valid_from=EARLIER.date(), valid_to=YESTERDAY)).differences
    assert found.servicenow == "valid from 2026-05-01 to 2026-05-03"


def test_what_one_side_lacks_is_missing_there_and_closed_ones_are_not() -> None:
    lonely = CostCentre("id2", "2", "72", "South ", updated=EARLIER)
    of = told([*CENTRES, lonely, replace(lonely, sys_id="id3", code="3", available=False)], documents=[])
    assert of.missing == (Missing("2", "id2", "South", "business_central", EARLIER),)
    of = told(values=[*VALUES, Value("2", "South", modified=LATER), Value("3", "Old", blocked=True)], documents=[])
    assert of.missing == (Missing("2", "", "South", "servicenow", LATER),)


def test_a_cost_centre_that_was_deleted_is_missing_under_the_sys_id_it_had() -> None:
    of = told(CENTRES[:1], documents=[])
    assert of.missing == (Missing("11", "id11", "North", "servicenow", LATER),)
    assert told(CENTRES[:1], value_11(blocked=True), documents=[]).missing == ()
    assert told(CENTRES[:1], value_11(type="Heading"), documents=[]).missing == ()


def test_what_keeps_cost_centres_from_being_paired_or_placed_is_told() -> None:
    twin = CostCentre("id12", "11", "8", "Other")
    assert [one.kind for one in told([*CENTRES, twin]).conflicts] == ["DUPLICATE_CODE"]
    assert [one.kind for one in told(north(parent="id11")).conflicts] == ["PARENT_CYCLE"]
    assert [one.kind for one in told(north(parent="nowhere")).conflicts] == ["PARENT_MISSING"]


def test_owners_do_not_matter_for_what_is_so() -> None:
    everything = north(name="New", parent="", available=False)
    rules = Rules(block_when_gone=True)
    assert told(everything, rules=rules).differences == told(everything).differences
    assert {one.attribute for one in told(everything).differences} == {"name", "parent", "blocked"}
    assert plan(CENTRES, VALUES, ROWS, rules, TODAY).actions == ()


# -- documents


@pytest.mark.parametrize(
    ("centres", "values", "codes"),
    [
        (None, [VALUES[0], VALUES[2]], ("DIMENSION_VALUE_MISSING",)),
        (None, value_11(blocked=True), ("DIMENSION_VALUE_BLOCKED",)),
        (None, value_11(type="Heading"), ("DIMENSION_VALUE_NOT_FOR_POSTING",)),
        (CENTRES[:1], None, ("COST_CENTRE_UNKNOWN",)),
        (north(available=False), None, ("COST_CENTRE_INACTIVE",)),
        (north(valid_to=YESTERDAY), None, ("COST_CENTRE_NOT_VALID",)),
        (north(valid_from=TOMORROW), None, ("COST_CENTRE_NOT_VALID",)),
        (CENTRES[:1], value_11(blocked=True), ("DIMENSION_VALUE_BLOCKED", "COST_CENTRE_UNKNOWN")),
    ],
)
def test_a_document_is_stopped_by_either_side_with_the_reasons_that_validation_has(
    centres: list[CostCentre] | None, values: list[Value] | None, codes: tuple[str, ...]
) -> None:
    assert stopped(told(centres, values)) == [("106001", codes)]


def test_a_difference_in_name_or_parent_stops_nothing() -> None:
    assert told(north(name="New", parent="")).stopped == ()


def test_of_several_cost_centres_with_one_code_one_that_can_be_used_is_enough() -> None:
    closed = CostCentre("id12", "11", "8", "Old", available=False)
    assert told([*CENTRES, closed]).stopped == ()
    assert told([*CENTRES, replace(closed, available=True, valid_to=YESTERDAY)]).stopped == ()


def test_a_warehouse_goes_with_its_cost_centres_only_where_there_are_rules() -> None:
    demands = Demands({"EAST": Warehouse(cost_centres=("1",)), "WEST": Warehouse()})
    documents = [OpenDocument("1", "11", "EAST"), OpenDocument("2", "11", "WEST"), OpenDocument("3", "11", "NEW")]
    found = [("1", ("WAREHOUSE_COST_CENTRE_WRONG",)), ("3", ("WAREHOUSE_WITHOUT_RULE",))]
    assert stopped(told(documents=documents, demands=demands)) == found
    assert stopped(told(documents=documents, demands=Demands())) == []
    assert stopped(told(documents=[OpenDocument("1", "11")], demands=demands)) == []


def test_a_line_without_cost_centre_gets_its_warehouse_s_and_is_fine_without_any() -> None:
    demands = Demands({"EAST": Warehouse(cost_centres=("11",), fill="11"), "WEST": Warehouse()})
    documents = [OpenDocument("1", "", "EAST"), OpenDocument("2", "", "WEST"), OpenDocument("3", "")]
    assert stopped(told(documents=documents, demands=demands)) == []
    assert stopped(told(CENTRES[:1], documents=documents, demands=demands)) == [("1", ("COST_CENTRE_UNKNOWN",))]


def test_servicenow_is_asked_by_the_word_and_the_column_that_documents_go_by() -> None:
    documents = [OpenDocument("1", "11")]
    assert stopped(told(documents=documents, demands=Demands(found_by="account_number"))) == [
        ("1", ("COST_CENTRE_UNKNOWN",))
    ]
    assert stopped(told(documents=documents, demands=Demands(words={"11": "711"}, found_by="account_number"))) == []


def test_stopped_documents_come_in_the_order_of_their_numbers() -> None:
    documents = [OpenDocument("2", "9"), OpenDocument("1", "9"), OpenDocument("1", "8")]
    assert told(documents=documents).stopped == tuple(
        Stopped(one, ("DIMENSION_VALUE_MISSING", "COST_CENTRE_UNKNOWN")) for one in reversed(documents)
    )

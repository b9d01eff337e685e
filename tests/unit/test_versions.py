"""Later versions: emptied columns, removed lines, and the numbers that tell which lines may stand in ServiceNow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.mapping import map_document
from connector.decisions.versions import emptying, line_numbers, with_removals
from connector.errors import DocumentFault
from connector.storage.ledger_columns import packed, unpacked
from tests.unit.builders import SUPPLIERS, comment, line, order, rules


def test_a_removed_line_is_staged_with_nothing_left_of_it() -> None:
    document = order(line(10000), line(30000))
    mapped = with_removals(map_document(document, rules(), SUPPLIERS), document, rules(), {10000, 20000, 30000})
    *_, removed = mapped.rows
    assert removed.removed
    assert dict(removed.columns) == {
        "u_erp_source": "BC-US",
        "u_erp_po_number": document.number,
        "u_erp_po_line_number": "20000",
        "u_quantity": "0",
        "u_unit_price": "0.00",
        "u_line_amount": "0.00",
        "u_tax_amount": "0.00",
    }
    assert line_numbers(mapped) == [10000, 30000]
    assert mapped.payload_hash == map_document(document, rules(), SUPPLIERS).payload_hash


def test_without_a_removed_line_nothing_is_added() -> None:
    document = order(line(10000), comment(15000))
    mapped = map_document(document, rules(), SUPPLIERS)
    assert with_removals(mapped, document, rules(), {10000}) is mapped


def test_a_profile_without_a_way_parks_and_names_each_line() -> None:
    plain = rules()
    route = plain.profile.routes["purchaseOrders"].model_copy(update={"removed_line": {}})
    profile = plain.profile.model_copy(update={"routes": {"purchaseOrders": route}})
    without = type(plain)(plain.company, profile, plain.translations)
    document = order(line(10000))
    with pytest.raises(DocumentFault) as caught:
        with_removals(map_document(document, without, SUPPLIERS), document, without, {10000, 20000, 30000})
    assert [(reason.code, reason.where) for reason in caught.value.reasons] == [
        ("REMOVAL_NOT_POSSIBLE", "20000"),
        ("REMOVAL_NOT_POSSIBLE", "30000"),
    ]


def test_emptying_fills_every_column_without_a_value_and_keeps_the_hash() -> None:
    mapped = map_document(order(line(10000, location="")), rules(), SUPPLIERS)
    emptied = emptying(mapped, "NULL")
    assert "u_location" not in mapped.rows[1].columns
    assert emptied.rows[1].columns["u_location"] == "NULL"
    assert emptied.payload_hash == mapped.payload_hash
    assert emptying(mapped, "") is mapped


@given(st.lists(st.integers(min_value=0, max_value=2_000_000_000), unique=True).map(sorted))
def test_line_numbers_are_packed_without_loss(numbers: list[int]) -> None:
    assert unpacked(packed(numbers)) == tuple(numbers)


def test_ten_thousand_lines_in_steps_take_a_few_characters() -> None:
    assert packed(range(10_000, 100_010_000, 10_000)) == "10000x10000"

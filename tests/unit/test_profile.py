"""Profiles: the shipped one is complete, and a fault in one of your own is named by its place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from connector.errors import SettingsFault
from connector.model.documents import Entity
from connector.model.profile import Profile, Translations
from connector.model.staging import StagingTable
from connector.named_files import load_profile, load_translations

SMALL = """
name = "small"
required_roles = [["import_transformer"]]

[missing_translation]
units = "same"

[suppliers]
table = "sn_fin_supplier"
code = "erp_supplier_code"
source = "erp_source"
name = "legal_name"

[routes.purchaseOrders]
eligible = ["Open"]

[routes.purchaseOrders.header]
table = "u_order"
key = ["u_number"]

[routes.purchaseOrders.header.columns]
u_number = { value = "document.number", max = 40, mandatory = true }

[routes.purchaseOrders.line]
table = "u_line"
key = ["u_number", "u_line"]

[routes.purchaseOrders.line.columns]
u_number = { value = "document.number", max = 40, mandatory = true }
u_line = { value = "line.sequence", max = 40, mandatory = true }
u_unit = { value = "line.unit", translate = "units" }
"""

ALLOCATION = """
[routes.purchaseOrders.allocation]
table = "u_allocation"
key = ["u_line", "u_cost_center"]

[routes.purchaseOrders.allocation.columns]
u_line = { value = "line.sequence" }
u_cost_center = { value = "allocation.cost_centre" }
"""


def from_text(folder: Path, text: str) -> Profile:
    """The profile of that text, loaded as a file of your own."""
    path = folder / "own.toml"
    path.write_text(text, "utf-8")
    return load_profile(str(path))


def tables(profile: Profile) -> list[StagingTable]:
    """Every staging table of every route."""
    return [table for route in profile.routes.values() for table in route.tables]


def test_the_shipped_profile_carries_every_entity() -> None:
    profile = load_profile("source_to_pay")
    assert set(profile.routes) == {entity.value for entity in Entity}
    assert [table.table for table in tables(profile)] == [
        "sn_fcms_intg_imp_order",
        "sn_fcms_intg_imp_order_line",
        "sn_spend_intg_imp_invoice",
        "sn_spend_intg_imp_invoice_line",
        "sn_spend_intg_imp_invoice",
        "sn_spend_intg_imp_invoice_line",
        "sn_fcms_intg_imp_receipt",
    ]


def test_every_key_column_of_the_shipped_profile_is_mandatory() -> None:
    # A row with an empty coalesce value is skipped by ServiceNow.
    for table in tables(load_profile("source_to_pay")):
        assert [name for name in table.key if not table.columns[name].mandatory] == []


def test_the_shipped_profile_fills_what_servicenow_calls_mandatory() -> None:
    invoices = load_profile("source_to_pay").routes["purchaseInvoices"]
    header = {
        "u_erp_source",
        "u_external_invoice_number",
        "u_external_invoice_source",
        "u_invoice_date",
        "u_other_charges",
        "u_subtotal",
        "u_supplier",
        "u_invoice_type",
    }
    line = {
        "u_erp_source",
        "u_external_invoice_source",
        "u_line_description",
        "u_line_quantity",
        "u_line_unit_price",
        "u_subtotal",
    }
    for table, names in ((invoices.header, header), (invoices.line, line)):
        assert {name for name, column in table.columns.items() if column.mandatory} >= names


def test_the_shipped_profile_never_takes_a_paid_invoice() -> None:
    invoices = load_profile("source_to_pay").routes["purchaseInvoices"]
    assert invoices.eligible == ("Open",)
    assert "Paid" in invoices.waiting


def test_a_profile_of_your_own_is_loaded_by_its_path(tmp_path: Path) -> None:
    profile = from_text(tmp_path, SMALL)
    assert profile.name == "small"
    assert [table.table for table in profile.routes["purchaseOrders"].tables] == ["u_order", "u_line"]


def test_an_allocation_table_comes_after_the_lines(tmp_path: Path) -> None:
    profile = from_text(tmp_path, SMALL + ALLOCATION)
    assert [table.table for table in profile.routes["purchaseOrders"].tables] == ["u_order", "u_line", "u_allocation"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('value = "document.number"', 'value = "document.nummer"', "u_order.u_number: no fact is called"),
        ('value = "document.number"', 'value = "line.unit"', "u_order.u_number: no fact is called 'line.unit'"),
        ('"line.unit", translate', '"allocation.amount", translate', "u_line.u_unit: no fact is called"),
        ('value = "line.sequence"', 'value = "line.sequence", constant = "1"', "columns.u_line"),
        ('{ value = "line.sequence", max = 40', "{ max = 40", "columns.u_line"),
        ('value = "line.sequence", max = 40', 'value = "line.sequence", max = 0', "columns.u_line.max"),
        ('value = "line.sequence"', 'value = "line.sequence", format = "hex"', "columns.u_line.format"),
        ('translate = "units"', 'translate = "sizes"', "columns.u_unit.translate"),
        ('translate = "units"', 'translate = "locations"', "missing_translation says nothing about: locations"),
        ('translate = "units"', 'lookup = "units"', "columns.u_unit.lookup"),
        (
            'key = ["u_number", "u_line"]',
            'key = ["u_number", "u_row"]',
            "key columns without a rule, or optional: u_row",
        ),
        ('key = ["u_number"]', "key = []", "header.key"),
        ('eligible = ["Open"]', "eligible = []", "eligible"),
        ('units = "same"', 'units = "guess"', "missing_translation.units"),
        ('name = "small"', "", "name"),
        ('code = "erp_supplier_code"', "", "suppliers.code"),
        ("[missing_translation]", "[allocation_keys.SHARED]\nADM = 60\n[missing_translation]", "allocation key SHARED"),
        ("[missing_translation]", "[allocation_keys.SHARED]\nADM = nan\n[missing_translation]", "SHARED.ADM"),
        ("routes.purchaseOrders", "routes.purchaseorders", "purchaseorders"),
        ('value = "document.number", max = 40', 'constant = "", max = 40', "u_number"),
    ],
)
def test_a_fault_in_a_profile_is_named_by_its_place(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in SMALL
    with pytest.raises(SettingsFault) as fault:
        from_text(tmp_path, SMALL.replace(old, new))
    assert named in str(fault.value)
    assert "own.toml" in str(fault.value)


def test_a_fault_in_a_profile_is_named_by_its_line(tmp_path: Path) -> None:
    wrong = SMALL.replace('value = "line.sequence", max = 40', 'value = "line.sequence", max = 0')
    (line,) = (number for number, text in enumerate(wrong.splitlines(), start=1) if "max = 0" in text)
    with pytest.raises(SettingsFault, match=rf"columns\.u_line\.max \(line {line}\): "):
        from_text(tmp_path, wrong)
    lines = SMALL.splitlines()
    without = "\n".join(text for text in lines if not text.startswith("code ="))
    header = without.splitlines().index("[suppliers]") + 1
    with pytest.raises(SettingsFault, match=rf"suppliers\.code \(line {header}\): "):
        from_text(tmp_path, without)


def test_percentages_of_an_allocation_key_are_exact(tmp_path: Path) -> None:
    thirds = ["33.333333333333333333", "33.333333333333333333", "33.333333333333333334"]
    key = "[allocation_keys]\nSHARED = { " + ", ".join(f"C{n} = {part}" for n, part in enumerate(thirds)) + " }\n"
    profile = from_text(tmp_path, SMALL.replace("[missing_translation]", f"{key}[missing_translation]"))
    assert list(profile.allocation_keys["SHARED"].values()) == [Decimal(part) for part in thirds]


def test_a_profile_that_is_not_there_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match=r"PROFILE: .*missing\.toml cannot be read \(FileNotFoundError\)"):
        load_profile(str(tmp_path / "missing.toml"))


@pytest.mark.parametrize("name", ["unknown", "../profiles/source_to_pay", "source_to_pay.toml", ""])
def test_a_name_that_is_not_shipped_is_taken_as_a_path(name: str) -> None:
    with pytest.raises(SettingsFault, match="PROFILE"):
        load_profile(name)


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match="PROFILE"):
        load_profile(str(tmp_path))


def test_a_profile_that_is_not_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match=r"own\.toml is not TOML: .*line 1"):
        from_text(tmp_path, "name = small")


def test_a_profile_that_is_not_utf_8_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b'name = "caf\xe9"')
    with pytest.raises(SettingsFault, match="UnicodeDecodeError"):
        load_profile(str(path))


def test_a_profile_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(ValidationError):
        load_profile("source_to_pay").name = "other"


def test_without_a_path_the_translation_tables_are_empty() -> None:
    assert load_translations("") == Translations()


def test_translation_tables_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "translations.toml"
    path.write_text('[cost_centres]\nADM = "CC-100"\n', "utf-8")
    assert load_translations(str(path)).table("cost_centres") == {"ADM": "CC-100"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[cost_centers]\nADM = 'CC-100'", "cost_centers"),
        ("[cost_centres]\nADM = 100", "cost_centres.ADM"),
        ("[cost_centres", "not TOML"),
    ],
)
def test_a_fault_in_the_translations_is_named_by_its_place(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "translations.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsFault) as fault:
        load_translations(str(path))
    assert named in str(fault.value)
    assert "translations.toml" in str(fault.value)


def test_translations_that_are_not_there_name_their_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match="TRANSLATIONS: "):
        load_translations(str(tmp_path / "missing.toml"))

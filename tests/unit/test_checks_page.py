"""The page on checks is true: its examples load, it names every key, level and code there is, and what is wrong is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.decisions.severity import SEVERITY
from connector.errors import SettingsFault
from connector.model.checks import Checks, CompanyChecks, Warehouse
from connector.named_files import load_checks
from tests.unit.builders import COMPANY

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text("utf-8")
EXAMPLES = [block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if block.startswith("# checks\n")]
CELLS = re.findall(r"^\| (.+?) \| `(park|warn)` \|$", PAGE, re.MULTILINE)


def load(tmp_path: Path, text: str) -> Checks:
    """The checks in a file with this text, for the sample company."""
    file = tmp_path / "checks.toml"
    file.write_text(text, "utf-8")
    return load_checks(str(file), [COMPANY.key])


def refusal(tmp_path: Path, text: str) -> str:
    """Why a file with this text is refused."""
    with pytest.raises(SettingsFault) as fault:
        load(tmp_path, text)
    return str(fault.value)


@pytest.mark.parametrize("example", EXAMPLES, ids=["at a glance", "warehouses"])
def test_an_example_loads_and_demands_something(example: str, tmp_path: Path) -> None:
    checks = load(tmp_path, example)
    assert checks.of(COMPANY.key) != CompanyChecks()
    assert checks.of("another") == CompanyChecks()


def test_every_table_of_the_page_is_in_an_example() -> None:
    assert PAGE.count("```toml") == len(EXAMPLES) == 2


@pytest.mark.parametrize("form", [Checks, CompanyChecks, Warehouse])
def test_every_key_is_named_and_in_an_example(form: type) -> None:
    fields = set(form.model_fields)  # type: ignore[attr-defined]
    assert fields - set(re.findall(r"`(\w+)`", PAGE)) == set()
    keys = re.findall(r"^(\w+) =|^\[(\w+)(?:\.\w+(?:\.(\w+))?)?", "".join(EXAMPLES), re.MULTILINE)
    assert fields - {name for names in keys for name in names} == set()


def test_every_level_is_explained() -> None:
    assert re.findall(r"^\| `(\w+)` \| it is ", PAGE, re.MULTILINE) == ["park", "warn", "off"]


def test_every_code_that_can_be_set_is_named_with_its_default_and_no_other() -> None:
    assert {code: level for cell, level in CELLS for code in re.findall(r"`([A-Z_]+)`", cell)} == dict(SEVERITY)


def test_an_unknown_code_is_refused_and_the_known_ones_are_named(tmp_path: Path) -> None:
    told = refusal(tmp_path, '[severity]\nACCOUNT_CLOSED = "warn"\n')
    assert "severity.ACCOUNT_CLOSED: no fault whose severity can be set is called so" in told
    for code in SEVERITY:
        assert code in told


@pytest.mark.parametrize("code", ["TEXT_TOO_LONG", "SUPPLIER_MISSING", "STATUS_UNKNOWN", "account_blocked"])
def test_a_code_that_must_park_cannot_be_set(code: str, tmp_path: Path) -> None:
    assert f"severity.{code}" in refusal(tmp_path, f'[severity]\n{code} = "off"\n')


def test_a_company_that_is_not_in_the_settings_is_refused(tmp_path: Path) -> None:
    told = refusal(tmp_path, '[companies.de]\nmandatory_dimensions = ["DEPARTMENT"]\n')
    assert "companies.de: COMPANIES has no company with this key" in told


def test_all_faults_of_the_file_are_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, '[severity]\nACCOUNT_CLOSED = "warn"\n[companies.de]\n[companies.at]\n')
    assert [word for word in ("ACCOUNT_CLOSED", "companies.de", "companies.at") if word in told] == [
        "ACCOUNT_CLOSED",
        "companies.de",
        "companies.at",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[severity]\nACCOUNT_BLOCKED = "ignore"\n', "severity.ACCOUNT_BLOCKED (line 2)"),
        ('[companies.us]\nmandatory = ["AREA"]\n', "companies.us.mandatory (line 2)"),
        ('[companies.us]\nforbidden = [{ AREA = "70" }]\n', "at least two dimensions"),
        ('[companies.us.warehouses.MAIN]\ncost_centres = ["ADM"]\nfill = "SALES"\n', "SALES is not among"),
        ("[severity\n", "is not TOML"),
    ],
)
def test_what_the_file_must_not_say_is_refused_with_its_place(text: str, place: str, tmp_path: Path) -> None:
    assert place in refusal(tmp_path, text)


def test_without_a_file_nothing_is_demanded() -> None:
    assert load_checks("", [COMPANY.key]) == Checks()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match="CHECKS"):
        load_checks(str(tmp_path / "none.toml"), [COMPANY.key])

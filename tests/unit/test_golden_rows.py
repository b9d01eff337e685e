"""Golden rows: what each shipped profile makes of each kind of document, to the character.

The files in `golden/` were checked by hand against the documents in `golden_documents`. A change of a profile or of mapping
shows in their difference; `python -m tests.unit.test_golden_rows` writes them anew, for a person to read again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.decisions.mapping import map_document
from connector.model.profile import Profile
from connector.named_files import load_profile
from tests.unit.builders import SUPPLIERS
from tests.unit.golden_documents import documents, rules
from tests.unit.profile_page import with_taxes

GOLDEN = Path(__file__).parent / "golden"
PROFILES = ("source_to_pay", "po_as_invoice", "procurement")


def rows_of(name: str) -> dict[str, Any]:
    """The rows of every document that the profile carries; with tax rows, where it can have them."""
    profile: Profile = load_profile(name) if name == "procurement" else with_taxes(name)
    made = {}
    for title, document in documents().items():
        if document.entity.value in profile.routes:
            mapped = map_document(document, rules(profile), SUPPLIERS)
            made[title] = [{"table": row.table, "key": row.key, "columns": row.columns} for row in mapped.rows]
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", PROFILES)
def test_the_rows_are_the_golden_ones(name: str) -> None:
    assert rows_of(name) == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def test_every_table_of_every_profile_has_golden_rows() -> None:
    for name in PROFILES:
        tables = {row["table"] for rows in rows_of(name).values() for row in rows}
        routed = {table.table for route in load_profile(name).routes.values() for table in route.tables}
        assert routed <= tables


if __name__ == "__main__":
    for each in PROFILES:
        text = json.dumps(rows_of(each), indent=1, ensure_ascii=False)
        (GOLDEN / f"{each}.json").write_text(text + "\n", "utf-8")

"""The extension that a customer may install in Business Central: its AL sources, its manifest and its permission sets.

No compiler is at hand: a grammar reads the syntax, and what compiler and service would ask for besides is checked on the text.
What the pages show is compared with the simulator in tests/adapters/test_business_central_simulator_extension.py.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[2] / "infra" / "business-central"
Sources = dict[str, str]
Parse = Callable[[str], list[str]]

_OBJECT = re.compile(r'^(table|page|codeunit|permissionset) (\d+) "([^"]+)"$', re.MULTILINE)
_PERMISSION = re.compile(r'^ +(tabledata|table|page|codeunit) ("[^"]+"|\w+) = (\w+)[,;]$', re.MULTILINE)
_WRITE = re.compile(r"(\w+)\.(Insert|Modify|ModifyAll|Delete|DeleteAll|Rename|Validate|TransferFields)\(")
_API = {
    "PageType": "API",
    "APIPublisher": "'erpbridge'",
    "APIGroup": "'sourceToPay'",
    "APIVersion": "'v1.0'",
    "ODataKeyFields": "SystemId",
    "DelayedInsert": "true",
    "Extensible": "false",
}
_READ_ONLY = {"Editable": "false", "InsertAllowed": "false", "ModifyAllowed": "false", "DeleteAllowed": "false"}
# What a page may let be written, by its source table.
_WRITABLE = {'"Dimension Value"', '"ERPB Cost Centre Mapping"'}
# Without a table that is stored there is nothing to subscribe to.
_WITHOUT_WEBHOOKS = {"ERPB Change Feed States"}
# The runtime that brought what the sources use ("Available or changed with runtime version").
_SINCE = {"ReadIsolation": 11, "InherentPermissions = X": 11, "MinimumActiveRowVersion": 10, "SystemRowVersion": 10}


def sources() -> Sources:
    return {file.name: file.read_text() for file in sorted((HOME / "src").glob("*.al"))}


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / "app.json").read_text())
    return found


def property_of(text: str, name: str) -> str:
    found = re.search(rf"^    {name} = (.+);$", text, re.MULTILINE)
    return found[1] if found else ""


def objects(texts: Sources) -> Iterator[tuple[str, str, int, str]]:
    for file, text in texts.items():
        for kind, number, name in _OBJECT.findall(text):
            yield file, kind, int(number), name


# -- the checks: each gives what is wrong


def wrong_ids(texts: Sources, app: dict[str, Any]) -> Iterator[str]:
    taken: set[int] = set()
    for file, _, number, name in objects(texts):
        if not any(each["from"] <= number <= each["to"] for each in app["idRanges"]):
            yield f"{file}: {number} is outside the range"
        if number in taken:
            yield f"{file}: {number} is taken"
        taken.add(number)
        if len(name) > (20 if "PermissionSet" in file else 30):
            yield f"{file}: the name is too long"
    for file, text in texts.items():
        if len(_OBJECT.findall(text)) != 1:
            yield f"{file}: not one object"


def wrong_pages(texts: Sources, _app: dict[str, Any]) -> Iterator[str]:
    sets: set[str] = set()
    for file, kind, _, name in objects(texts):
        if kind != "page":
            continue
        text = texts[file]
        wanted = _API if property_of(text, "SourceTable") in _WRITABLE else _API | _READ_ONLY
        for each, value in wanted.items():
            if property_of(text, each) != value:
                yield f"{file}: {each} is not {value}"
        if property_of(text, "SourceTable") == '"Dimension Value"' and property_of(text, "DeleteAllowed") != "false":
            yield f"{file}: values could be deleted"
        if (property_of(text, "SourceTableTemporary") == "true") != (name in _WITHOUT_WEBHOOKS):
            yield f"{file}: not fit for webhooks"
        fields = re.findall(r"^ +field\((\w+); (.+)\)$", text, re.MULTILINE)
        if fields[:1] != [("id", "Rec.SystemId")]:
            yield f"{file}: the key is not the first field"
        if "lastModifiedDateTime" not in dict(fields) and name not in _WITHOUT_WEBHOOKS:
            yield f"{file}: nothing to filter a collection by"
        one, many = property_of(text, "EntityName"), property_of(text, "EntitySetName")
        for word in (one.strip("'"), many.strip("'"), *dict(fields)):
            if not re.fullmatch(r"[a-z][A-Za-z0-9]*", word):
                yield f"{file}: {word!r} is not in camel case"
        if one == many or many in sets:
            yield f"{file}: {many} is not a name of its own"
        sets.add(many)


def wrong_manifest(texts: Sources, app: dict[str, Any]) -> Iterator[str]:
    try:
        uuid.UUID(app["id"])
    except ValueError:
        yield "the id is no guid"
    runtime = int(app["runtime"].split(".")[0])
    if app["application"] != app["platform"] or int(app["application"].split(".")[0]) != runtime + 11:
        yield "runtime and versions are not of one release"
    for word, since in _SINCE.items():
        if runtime < since and any(word in text for text in texts.values()):
            yield f"{word} needs runtime {since}.0"
    if app["target"] != "Cloud":
        yield "it cannot be installed online"


def wrong_permissions(texts: Sources, _app: dict[str, Any]) -> Iterator[str]:
    granted: dict[tuple[str, str], str] = {}
    for file, kind, _, _ in objects(texts):
        found = _PERMISSION.findall(texts[file])
        listed = texts[file].partition("Permissions =\n")[2]
        if kind == "permissionset" and len(found) != listed.count(" = "):
            yield f"{file}: a line was not understood"
        if kind != "permissionset" and re.search(r"^ +Permissions =", texts[file], re.MULTILINE):
            yield f"{file}: lends permissions"
        for what, name, rights in found:
            key = (what, name.strip('"'))
            granted[key] = granted.get(key, "") + rights.upper()
    for file, kind, _, name in objects(texts):
        needed = {"table": [("table", "X"), ("tabledata", "R")]}.get(kind, [(kind, "X")])
        if kind != "permissionset":
            for what, right in needed:
                if right not in granted.get((what, name), ""):
                    yield f"{file}: no permission set names {what} {name}"
    for (what, name), rights in granted.items():
        allowed = {"Dimension Value": "RIM"}.get(name, "RIMD" if name.startswith("ERPB ") else "R")
        if what == "tabledata" and not set(rights) <= set(allowed):
            yield f"{name}: {rights} is more than {allowed}"


def wrong_writes(texts: Sources, _app: dict[str, Any]) -> Iterator[str]:
    """The code writes its own log and the row it makes up for an answer, nothing else."""
    for file, text in texts.items():
        for variable, method in _WRITE.findall(text):
            own = (variable == "DeletedPurchaseRecord" or property_of(text, "SourceTableTemporary") == "true") and (
                method == "Insert"
            )
            if not own:
                yield f"{file}: {variable}.{method}"


CHECKS = (wrong_ids, wrong_pages, wrong_manifest, wrong_permissions, wrong_writes)


def faults(texts: Sources, app: dict[str, Any]) -> list[str]:
    return [fault for check in CHECKS for fault in check(texts, app)]


def test_ids_pages_manifest_permissions_and_writes_are_in_order() -> None:
    assert len(sources()) > 10
    assert faults(sources(), manifest()) == []


BREAKS = [
    ("Install.Codeunit.al", "50121", "50150", "Install.Codeunit.al: 50150 is outside the range"),
    ("Install.Codeunit.al", "50121", "50120", "Install.Codeunit.al: 50120 is taken"),
    ("Read.PermissionSet.al", "ERPB Read", "ERPB Reads Everything", "Read.PermissionSet.al: the name is too long"),
    ("PurchaseChanges.Page.al", "= SystemId;", '= "No.";', "PurchaseChanges.Page.al: ODataKeyFields is not SystemId"),
    ("PurchaseChanges.Page.al", "(id; ", "(systemId; ", "PurchaseChanges.Page.al: the key is not the first field"),
    ("PurchaseChanges.Page.al", "(lineId; ", "(LineId; ", "PurchaseChanges.Page.al: 'LineId' is not in camel case"),
    (
        "PurchaseChanges.Page.al",
        "    ODataKeyFields",
        "    SourceTableTemporary = true;\n    ODataKeyFields",
        "PurchaseChanges.Page.al: not fit for webhooks",
    ),
    (
        "PurchaseChanges.Page.al",
        "ModifyAllowed = false",
        "ModifyAllowed = true",
        "PurchaseChanges.Page.al: ModifyAllowed is not false",
    ),
    (
        "PurchaseLineChanges.Page.al",
        "'purchaseLineChanges'",
        "'purchaseChanges'",
        "PurchaseLineChanges.Page.al: 'purchaseChanges' is not a name of its own",
    ),
    (
        "DimensionValues.Page.al",
        "    DeleteAllowed = false;\n",
        "",
        "DimensionValues.Page.al: values could be deleted",
    ),
    (
        "Read.PermissionSet.al",
        '        page "ERPB Purchase Changes" = X,\n',
        "",
        "PurchaseChanges.Page.al: no permission set names page ERPB Purchase Changes",
    ),
    ("Read.PermissionSet.al", '"Purchase Header" = R', '"Purchase Header" = RM', "Purchase Header: RM is more than R"),
    ("Read.PermissionSet.al", '"Purchase Line" = R', '"Purchase Line" = Rm', "Purchase Line: RM is more than R"),
    ("Write.PermissionSet.al", "= IM,", "= IMD,", "Dimension Value: RIMD is more than RIM"),
    (
        "Write.PermissionSet.al",
        '"Cost Accounting Setup" = R',
        "* = RIMD",
        "Write.PermissionSet.al: a line was not understood",
    ),
    (
        "DeletionLog.Codeunit.al",
        "    InherentPermissions = X;",
        '    InherentPermissions = X;\n    Permissions = tabledata "Purchase Header" = m;',
        "DeletionLog.Codeunit.al: lends permissions",
    ),
    (
        "DeletionLog.Codeunit.al",
        "DocumentId := PurchaseHeader.SystemId;",
        "PurchaseHeader.Modify();",
        "DeletionLog.Codeunit.al: PurchaseHeader.Modify",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "fault"), BREAKS)
def test_what_is_broken_is_found(file: str, old: str, new: str, fault: str) -> None:
    texts = sources()
    assert texts[file].count(old) >= 1
    assert fault in faults(texts | {file: texts[file].replace(old, new)}, manifest())


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("id", "erpbridge", "the id is no guid"),
        ("application", "21.0.0.0", "runtime and versions are not of one release"),
        ("runtime", "10.0", "ReadIsolation needs runtime 11"),
        ("target", "OnPrem", "it cannot be installed online"),
        ("idRanges", [{"from": 50100, "to": 50131}], "Admin.PermissionSet.al: 50132 is outside the range"),
    ],
)
def test_a_manifest_that_does_not_fit_is_found(name: str, value: Any, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(sources(), manifest() | {name: value}))


# -- the syntax


@pytest.fixture(scope="module")
def parse() -> Parse:
    """Gives the places in a text that the grammar of AL does not know."""
    if not os.environ.get("CI"):
        pytest.importorskip("tree_sitter_al", reason="no AL grammar for this machine")
    import tree_sitter
    import tree_sitter_al

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_al.language()))

    def places(text: str) -> list[str]:
        found, nodes = [], [parser.parse(text.encode()).root_node]
        while nodes:
            node = nodes.pop()
            if node.is_error or node.is_missing:
                found.append(f"line {node.start_point[0] + 1}: {'missing ' if node.is_missing else ''}{node.type}")
            nodes.extend(node.children)
        return found

    return places


def test_every_source_is_in_the_grammar_of_al(parse: Parse) -> None:
    assert {file: parse(text) for file, text in sources().items()} == dict.fromkeys(sources(), [])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("PurchaseChanges.Page.al", "PageType = API;", "PageType = API"),
        ("PurchaseChanges.Page.al", "field(id; Rec.SystemId)", "field(id, Rec.SystemId)"),
        ("DeletionLog.Codeunit.al", "if Rec.IsTemporary() then", "if Rec.IsTemporary()"),
        ("DeletionLog.Codeunit.al", ".Insert();\n    end;", ".Insert();"),
        ("DeletedPurchaseRecord.Table.al", "AutoIncrement = true;", "AutoIncrement := true;"),
        ("Read.PermissionSet.al", "tabledata Vendor = R,", "tabledata Vendor = R"),
    ],
)
def test_a_slip_in_the_syntax_is_found(parse: Parse, file: str, old: str, new: str) -> None:
    text = sources()[file]
    assert old in text
    assert parse(text.replace(old, new, 1)), "the grammar took it"

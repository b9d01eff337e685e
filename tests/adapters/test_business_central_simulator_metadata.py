"""The Business Central simulator: ``$metadata``, the service document and the entity definitions.

Rules: "OData Common Schema Definition Language 4.0" for the document, "Developing a custom API" (schema version 2.0) for
enums, "Tips for working with the APIs" for ``entityDefinitions``.
"""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.encoding import decode_enum
from tests.sandbox.business_central.entities import EDM_TYPES, EntitySet
from tests.sandbox.business_central.master_sets import ENTITY_SETS
from tests.sandbox.business_central.probe import Probe, Watch

US = sample.companies()[0]
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(BusinessCentral([US], now=Watch()), US.id)


@pytest.fixture(scope="module")
def document(probe: Probe) -> ElementTree.Element:
    response = probe.get("/$metadata")
    assert response.headers["Content-Type"] == "application/xml"
    return ElementTree.fromstring(response.text)  # noqa: S314 - our own document


def types_of(document: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {each.attrib["Name"]: each for each in document.iter(f"{EDM}EntityType")}


def enums_of(document: ElementTree.Element) -> dict[str, list[str]]:
    return {
        "NAV." + each.attrib["Name"]: [member.attrib["Name"] for member in each.iter(f"{EDM}Member")]
        for each in document.iter(f"{EDM}EnumType")
    }


@pytest.mark.parametrize("entity", ENTITY_SETS.values(), ids=ENTITY_SETS.keys())
def test_every_entity_is_described_as_it_is_answered(document: ElementTree.Element, entity: EntitySet) -> None:
    described = types_of(document)[entity.type_name]
    assert [each.attrib["Name"] for each in described.iter(f"{EDM}PropertyRef")] == [entity.properties[0].name]
    shown = {each.attrib["Name"]: each.attrib for each in described.iter(f"{EDM}Property")}
    assert list(shown) == [*(prop.name for prop in entity.properties), *entity.streams]
    for prop in entity.properties:
        attributes = shown[prop.name]
        assert attributes.get("MaxLength") == (str(prop.length) if prop.length else None)
        if prop.members:
            members = enums_of(document)[attributes["Type"]]
            assert tuple(decode_enum(member) for member in members) == prop.members
        else:
            assert attributes["Type"] == EDM_TYPES[prop.kind]


def test_enum_members_are_encoded_as_in_json(document: ElementTree.Element) -> None:
    assert enums_of(document)["NAV.purchaseOrderStatus"] == ["Draft", "In_x0020_Review", "Open"]
    assert "_x0020_" in enums_of(document)["NAV.vendorBlocked"]


def test_every_type_that_is_named_exists(document: ElementTree.Element) -> None:
    known = {f"Microsoft.NAV.{name}" for name in types_of(document)} | set(enums_of(document))
    named = {
        each.attrib.get("Type", each.attrib.get("EntityType", "")).removeprefix("Collection(").removesuffix(")")
        for tag in ("Property", "NavigationProperty", "EntitySet", "Parameter")
        for each in document.iter(EDM + tag)
    }
    assert {name for name in named if not name.startswith("Edm.")} <= known


def test_every_navigation_can_be_expanded(document: ElementTree.Element, probe: Probe) -> None:
    container = {each.attrib["EntityType"]: each.attrib["Name"] for each in document.iter(f"{EDM}EntitySet")}
    tried = 0
    for name, described in types_of(document).items():
        entity = ENTITY_SETS[container[f"Microsoft.NAV.{name}"]]
        if entity.source not in {"table", "documents"}:
            continue
        for navigation in described.iter(f"{EDM}NavigationProperty"):
            row = probe.get(f"{entity.name}?$top=1&$expand={navigation.attrib['Name']}").json()["value"][0]
            many = navigation.attrib["Type"].startswith("Collection(")
            assert isinstance(row[navigation.attrib["Name"]], list) == many
            tried += 1
    assert tried > 20


def test_a_company_contains_all_other_sets(document: ElementTree.Element) -> None:
    company = types_of(document)["company"]
    contained = {each.attrib["Name"] for each in company.iter(f"{EDM}NavigationProperty")}
    assert contained == set(ENTITY_SETS) - {"companies"}


def test_bound_actions_are_described(document: ElementTree.Element) -> None:
    actions = {
        (each.attrib["Name"], next(each.iter(f"{EDM}Parameter")).attrib["Type"])
        for each in document.iter(f"{EDM}Action")
    }
    assert actions == {
        ("receiveAndInvoice", "Microsoft.NAV.purchaseOrder"),
        ("post", "Microsoft.NAV.purchaseInvoice"),
    }


def test_other_apis_describe_themselves(probe: Probe) -> None:
    address = f"{probe.simulator.base_url}/v2.0/Production/api/microsoft/reportsFinance/beta"
    names = {row["name"] for row in probe.get(address).json()["value"]}
    described = ElementTree.fromstring(probe.get(f"{address}/$metadata").text)  # noqa: S314 - our own document
    assert {each.attrib["Name"] for each in described.iter(f"{EDM}EntitySet")} == names
    assert "dimensionValues" in names


def test_entity_definitions_give_captions(probe: Probe) -> None:
    rows = {row["entitySetName"]: row for row in probe.get("/entityDefinitions").json()["value"]}
    assert set(rows) == set(ENTITY_SETS)
    vendor = rows["vendors"]
    assert (vendor["entityName"], vendor["entityCaptions"]) == ("vendor", [{"languageCode": 1033, "caption": "Vendor"}])
    captions = {each["name"]: each["captions"][0]["caption"] for each in vendor["properties"]}
    assert captions["phoneNumber"] == "Phone Number"


def test_the_documents_cannot_be_changed_and_need_a_token(probe: Probe) -> None:
    for address in ("/", "/$metadata", "/entityDefinitions"):
        assert probe.send("POST", address, {}).status_code == 405
        bare = probe.client.get(probe.base + address, headers={"Authorization": ""})
        assert bare.status_code == 401

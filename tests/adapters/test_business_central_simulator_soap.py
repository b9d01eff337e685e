"""SOAP page services of the Business Central simulator, and two clients that were written for the real ones.

The rules are those of the pages "SOAP Web Services", "Basic page operations" and "Entering criteria in filters"; the forms of
contracts, records and faults those of public recordings. `zeep` and `nav` come from the package index as they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import httpx
import nav  # type: ignore[import-untyped]
import pytest
import zeep
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from nav.exceptions import NAVHTTPError  # type: ignore[import-untyped]

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.on_premises import OnPremises
from tests.sandbox.business_central.page_services import PAGES, PURCHASE_ORDER
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.soap_envelope import ENVELOPE, SoapFault, read_body
from tests.sandbox.business_central.soap_filters import BadFilter, matcher
from tests.sandbox.business_central.soap_ntlm import md4
from tests.sandbox.business_central.soap_settings import Function
from tests.sandbox.wire import Exchange, InProcess, Served, serve

COMPANIES = sample.companies()
US = COMPANIES[0]
KEY = "pQc2Zx0sV5r8Nf3hLk7mTj1bYw9eUa4gDi6oRv2xS0A="
ROOT = "http://nav.example:7047/BC240/WS"
XSD = "{http://www.w3.org/2001/XMLSchema}"
TABLE_RIGHTS = (
    "Sorry, the current permissions prevented the action. (TableData 38 Purchase Header {}: Base Application)"
)


@pytest.fixture
def simulator() -> BusinessCentral:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    simulator.on_premises = OnPremises()
    return simulator


class Caller:
    """A SOAP client without opinions: sends what it is told, checks each answer against the contract."""

    def __init__(self, simulator: BusinessCentral, service: str, company: str = "CRONUS%20USA%2C%20Inc.") -> None:
        self.service = service
        self.address = f"{ROOT}/{company}/Page/{service}"
        self.namespace = f"urn:microsoft-dynamics-schemas/page/{service.lower()}"
        self.client = httpx.Client(transport=InProcess(Exchange(simulator.handle)), auth=("CONNECTOR", KEY))

    def post(self, operation: str, inside: str = "", **headers: str) -> httpx.Response:
        """The raw answer to an operation."""
        text = (
            f'<soap:Envelope xmlns:soap="{ENVELOPE}"><soap:Body>'
            f'<{operation} xmlns="{self.namespace}">{inside}</{operation}></soap:Body></soap:Envelope>'
        )
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{self.namespace}:{operation}"'}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(self.address, content=text.encode(), headers=sent | named)

    def call(self, operation: str, inside: str = "") -> etree._Element:
        """The result of an operation, which must be valid by the service's own contract."""
        response = self.post(operation, inside)
        assert response.status_code == 200, response.text
        result = etree.fromstring(response.content)[0][0]
        assert result.tag == f"{{{self.namespace}}}{operation}_Result"
        self.schema().assertValid(result)
        return result

    def schema(self) -> etree.XMLSchema:
        """The schema in the contract."""
        contract = etree.fromstring(self.client.get(self.address).content)
        return etree.XMLSchema(next(contract.iter(f"{XSD}schema")))

    def records(self, *filters: tuple[str, str], size: int = 0, bookmark: str = "") -> list[dict[str, str]]:
        """The plain fields of the records that a ReadMultiple gives."""
        asked = "".join(f"<filter><Field>{f}</Field><Criteria>{escaped(c)}</Criteria></filter>" for f, c in filters)
        result = self.call("ReadMultiple", f"{asked}<bookmarkKey>{bookmark}</bookmarkKey><setSize>{size}</setSize>")
        return [fields(record) for record in result[0]]

    def fault(self, operation: str, inside: str = "", **headers: str) -> tuple[str, str]:
        """The class and the text of the fault that an operation ends with."""
        return fault_in(self.post(operation, inside, **headers))


def fault_in(response: httpx.Response, status: int = 500) -> tuple[str, str]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    found = ElementTree.fromstring(response.content).find(f"{{{ENVELOPE}}}Body/{{{ENVELOPE}}}Fault")  # noqa: S314
    assert found is not None
    code, text = found.findtext("faultcode", ""), found.findtext("faultstring", "")
    assert found.findtext("detail/{*}string") == text
    return code.rpartition(".")[2] if code.startswith("a:") else code, text


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fields(record: Any) -> dict[str, str]:
    return {etree.QName(child).localname: child.text or "" for child in record if not len(child)}


@pytest.fixture
def orders(simulator: BusinessCentral) -> Caller:
    return Caller(simulator, "PurchaseOrder")


@pytest.fixture
def values(simulator: BusinessCentral) -> Caller:
    return Caller(simulator, "DimensionValues")


# --- contract


@pytest.mark.parametrize("service", [page.name for page in PAGES.values()])
def test_every_contract_is_read_by_a_strict_soap_library(simulator: BusinessCentral, service: str) -> None:
    caller = Caller(simulator, service)
    content = caller.client.get(caller.address).content
    transport = zeep.Transport()
    transport.load = {caller.address: content}.__getitem__
    wsdl = zeep.Client(caller.address, transport=transport, settings=zeep.Settings(strict=True)).wsdl
    (found,) = wsdl.services.values()
    assert (found.name, list(found.ports)) == (f"{service}_Service", [f"{service}_Port"])
    (port,) = found.ports.values()
    assert port.binding.name.text == f"{{{caller.namespace}}}{service}_Binding"
    assert port.binding_options["address"] == caller.address
    assert {"Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey", "Create", "CreateMultiple"} | {
        "Update",
        "UpdateMultiple",
        "Delete",
    } <= set(port.binding.all())
    assert port.binding.get("Read").soapaction == f"{caller.namespace}:Read"
    for name in ("", "_List", "_Filter", "_Fields"):
        assert wsdl.types.get_type(f"{{{caller.namespace}}}{service}{name}") is not None


def test_every_field_is_optional_and_options_are_enumerations_of_member_names(orders: Caller) -> None:
    contract = etree.fromstring(orders.client.get(orders.address).content)
    types = {
        each.get("name"): each for each in contract.iter(f"{XSD}complexType", f"{XSD}simpleType") if each.get("name")
    }
    for name in ("PurchaseOrder", "Purchase_Order_Line"):
        parts = list(types[name].iter(f"{XSD}element"))
        assert parts[0].get("name") == "Key"
        assert {part.get("minOccurs") for part in parts} == {"0"}
    members = [each.get("value") for each in types["Status"].iter(f"{XSD}enumeration")]
    assert members == ["Open", "Released", "Pending_Approval", "Pending_Prepayment"]
    assert {"G_L_Account", "_blank_"} <= {each.get("value") for each in types["Type"].iter(f"{XSD}enumeration")}


def test_the_contract_of_every_order_in_the_sample_holds(orders: Caller) -> None:
    assert len(orders.records()) == len(US.orders)


# --- reading


def test_a_read_gives_header_and_lines_in_the_recorded_form(simulator: BusinessCentral, orders: Caller) -> None:
    document = simulator.document(US.id, "106001")
    (record,) = orders.call("Read", "<No>106001</No>")
    shown = fields(record)
    assert list(shown)[:2] == ["Key", "No"]
    assert shown["Buy_from_Vendor_No"] == document.header["vendorNumber"]
    assert shown["Order_Date"] == "2025-07-01"
    assert shown["Expected_Receipt_Date"] == "0001-01-01"
    assert shown["Prices_Including_VAT"] == "false"
    assert shown["Status"] == "Released"
    assert shown["Shortcut_Dimension_1_Code"] == "PROD"
    assert "Document_Type" not in shown
    lines = record.find(f"{{{orders.namespace}}}PurchLines")
    assert {etree.QName(line).localname for line in lines} == {"Purchase_Order_Line"}
    first, second, third = (fields(line) for line in lines[:3])
    assert len(lines) == len(document.lines)
    assert (first["Document_No"], first["Line_No"], first["Quantity"]) == ("106001", "10000", "25")
    assert first["Direct_Unit_Cost"] == "10.773"
    assert [line["Type"] for line in (first, second, third)] == ["Item", "G_L_Account", "_blank_"]
    assert len({shown["Key"], first["Key"], second["Key"]}) == 3


def test_a_read_that_finds_nothing_is_an_empty_result_and_no_fault(orders: Caller, values: Caller) -> None:
    assert len(orders.call("Read", "<No>999999</No>")) == 0
    assert len(values.call("Read", "<Dimension_Code>DEPARTMENT</Dimension_Code><Code>NONE</Code>")) == 0
    assert len(orders.call("ReadByRecId", "<recId>Purchase Header: Order,999999</recId>")) == 0
    assert orders.records(("No", "999999")) == []


def test_a_record_is_found_by_its_record_id_too(orders: Caller, values: Caller) -> None:
    key = orders.records(("No", "106002"))[0]["Key"]
    told = orders.call("GetRecIdFromKey", f"<Key>{key}</Key>")
    assert told[0].text == "Purchase Header: Order,106002"
    (record,) = orders.call("ReadByRecId", f"<recId>{told[0].text}</recId>")
    assert fields(record)["No"] == "106002"
    (value,) = values.call("ReadByRecId", "<recId>Dimension Value: DEPARTMENT,ADM</recId>")
    assert fields(value)["Code"] == "ADM"


def test_filters_on_several_fields_must_all_pass(orders: Caller) -> None:
    numbers = [f"{number}" for number in range(106001, 106021)]
    both = orders.records(("No", "106001..106020"), ("Status", "Released"))
    status = {each["No"]: each["Status"] for each in orders.records()}
    assert [each["No"] for each in both] == [number for number in numbers if status.get(number) == "Released"]
    assert len(both) < len(orders.records(("No", "106001..106020"))) <= 20


def test_pages_follow_each_other_by_bookmark_until_the_list_is_empty(orders: Caller) -> None:
    whole = [each["No"] for each in orders.records(("No", "1060*"))]
    seen: list[str] = []
    bookmark = ""
    while page := orders.records(("No", "1060*"), size=7, bookmark=bookmark):
        assert len(page) <= 7
        seen += [each["No"] for each in page]
        bookmark = page[-1]["Key"]
    assert seen == whole == sorted(whole)


def test_a_negative_set_size_reads_backwards(orders: Caller) -> None:
    whole = [each["No"] for each in orders.records()]
    last = orders.records(size=-3)
    assert [each["No"] for each in last] == whole[:-4:-1]
    before = orders.records(size=-3, bookmark=last[-1]["Key"])
    assert [each["No"] for each in before] == whole[-4:-7:-1]


def test_a_bookmark_holds_its_place_after_its_record_is_gone(simulator: BusinessCentral, orders: Caller) -> None:
    first, second, third = orders.records(size=3)
    simulator.delete(US.id, "purchaseOrders", second["No"])
    assert orders.records(size=1, bookmark=second["Key"])[0]["No"] == third["No"]
    assert first["No"] not in [each["No"] for each in orders.records(bookmark=second["Key"])]


def test_a_key_changes_with_its_row_and_tells_of_it(simulator: BusinessCentral, orders: Caller) -> None:
    key = orders.records(("No", "106001"))[0]["Key"]
    assert orders.call("IsUpdated", f"<Key>{key}</Key>")[0].text == "false"
    simulator.edit_header(US.id, "106001", purchaser="EH")
    assert orders.call("IsUpdated", f"<Key>{key}</Key>")[0].text == "true"
    assert orders.records(("No", "106001"))[0]["Key"] != key
    simulator.delete(US.id, "purchaseOrders", "106001")
    assert orders.fault("IsUpdated", f"<Key>{key}</Key>")[0] == "NavCSideRecordNotFoundException"


@pytest.mark.parametrize("key", ["", "nonsense", "24;GwAAAAJ7/1AAUgAwADAAMAAx10;13300116860;", "999999999999;AA0;1;"])
def test_a_text_that_is_no_key_of_the_table_is_a_fault(orders: Caller, key: str) -> None:
    assert orders.fault("IsUpdated", f"<Key>{key}</Key>")[0].startswith("Nav")


def test_array_controls_bear_an_index_in_old_versions_and_a_number_in_new_ones(
    simulator: BusinessCentral, orders: Caller
) -> None:
    assert simulator.soap.version > 14
    (record,) = orders.call("Read", "<No>106001</No>")
    assert "ShortcutDimCode3" in fields(record.find("{*}PurchLines")[0])
    simulator.soap.version = 14
    (record,) = orders.call("Read", "<No>106001</No>")
    shown = fields(record.find("{*}PurchLines")[0])
    assert "ShortcutDimCode_x005B_3_x005D_" in shown
    assert "ShortcutDimCode3" not in shown


def test_empty_texts_may_be_left_out(simulator: BusinessCentral, orders: Caller) -> None:
    assert orders.records(("No", "106001"))[0]["Vendor_Invoice_No"] == ""
    simulator.soap.sends_blanks = False
    assert "Vendor_Invoice_No" not in orders.records(("No", "106001"))[0]


def test_a_customer_names_services_and_fields(simulator: BusinessCentral) -> None:
    simulator.page_services.published = {"Bestellungen": 50}
    simulator.page_services.changed_fields = {"Bestellungen": {"Purchaser_Code": "Einkaeufer", "Due_Date": ""}}
    shown = Caller(simulator, "Bestellungen").records(("No", "106001"))[0]
    assert "Einkaeufer" in shown
    assert not {"Purchaser_Code", "Due_Date"} & set(shown)
    assert fault_in(Caller(simulator, "PurchaseOrder").post("Read", "<No>106001</No>")) == (
        "ServiceBrokerException",
        'Service "Page/PurchaseOrder" was not found!',
    )


def test_one_broken_record_fails_the_whole_list_that_holds_it(simulator: BusinessCentral, orders: Caller) -> None:
    simulator.page_services.broken = {"106005"}
    assert len(orders.records(("No", "106001..106004"))) == 4
    assert orders.fault("ReadMultiple", "<setSize>0</setSize>")[0] == "NavCSideRecordNotFoundException"


@pytest.mark.parametrize(
    ("filters", "name", "says"),
    [
        (("Nothing", "1"), "s:Client", "is not a valid value for PurchaseOrder_Fields"),
        (
            ("Order_Date", "soon"),
            "NavFilterException",
            'The filter "soon" is not valid for the Order Date field on the',
        ),
        (("Status", "Lost"), "NavFilterException", "The existing options are: Open,Released,"),
        (("No", "(106001"), "NavFilterException", "A bracket is not closed."),
    ],
)
def test_a_filter_that_cannot_be_read_is_a_fault(
    orders: Caller, filters: tuple[str, str], name: str, says: str
) -> None:
    field, criteria = filters
    asked = f"<filter><Field>{field}</Field><Criteria>{criteria}</Criteria></filter><setSize>0</setSize>"
    code, text = orders.fault("ReadMultiple", asked)
    assert code == name
    assert says in text


# --- filters

CASES: list[tuple[str, str, str, bool]] = [
    ("106*", "text", "106001", True),
    ("106*", "text", "206001", False),
    ("10000|20000", "text", "20000", True),
    ("10000|20000", "text", "100002", False),
    ("<>''", "text", "", False),
    ("<>''", "text", "x", True),
    ("''", "text", "", True),
    ("@abc*", "text", "ABCdef", True),
    ("abc*", "text", "ABCdef", False),
    ("a?c", "text", "abc", True),
    ("a?c", "text", "ac", False),
    ("'a*c'", "text", "a*c", True),
    ("'a*c'", "text", "abc", False),
    ("'1M(8D)'", "text", "1M(8D)", True),
    ("'O''Neil & Co'", "text", "O'Neil & Co", True),
    ("A..C", "text", "B", True),
    ("..C", "text", "D", False),
    ("C..", "text", "D", True),
    (">A&<C", "text", "B", True),
    (">A&<C", "text", "C", False),
    ("A|>C&<E", "text", "D", True),
    ("(A|D)&<>D", "text", "D", False),
    ("<>A*", "text", "AB", False),
    (" A | B ", "text", "B", True),
    ("", "text", "anything", True),
]


@pytest.mark.parametrize(("criteria", "kind", "value", "passes"), CASES)
def test_criteria_follow_the_filter_syntax_of_the_application(
    criteria: str, kind: Any, value: str, passes: bool
) -> None:
    assert matcher(criteria, kind)(value) is passes


def test_criteria_compare_values_of_their_kind() -> None:
    assert matcher("..100", "decimal")(Decimal("99.5"))
    assert not matcher("9..100", "decimal")(Decimal("8"))
    assert matcher(">=2026-01-01", "date")(date(2026, 1, 1))
    assert matcher("''", "date")(date(1, 1, 1))
    assert matcher("2026-01-01..2026-01-31", "date")(date(2026, 1, 31))
    assert matcher("yes", "bool")(True)
    assert matcher("Pending Approval", "enum", ("Open", "Pending Approval"))("Pending Approval")
    assert matcher("<>0", "enum", ("Open", "Pending Approval"))("Pending Approval")
    assert matcher("' '", "enum", (" ", "Item"))(" ")
    assert matcher("adm", "text", code=True)("ADM")


@pytest.mark.parametrize("criteria", ["(A", "A)", "A|", "..", "'A", ">", "A..B..C", ">A*", "A*..B", "&", "A(B)"])
def test_broken_criteria_are_refused(criteria: str) -> None:
    with pytest.raises(BadFilter):
        matcher(criteria, "text")


ANY_TEXT = st.text(st.sampled_from("ABab01 '*?@|&()<>=.%"), max_size=8)
PLAIN = st.text(st.sampled_from("ABCabc019"), min_size=1, max_size=4)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@given(ANY_TEXT, ANY_TEXT)
def test_a_quoted_value_is_taken_as_it_is(wanted: str, value: str) -> None:
    assert matcher(quoted(wanted), "text")(wanted)
    assert matcher(quoted(wanted), "text")(value) is (value == wanted)
    assert matcher(f"<>{quoted(wanted)}", "text")(value) is (value != wanted)


@given(PLAIN, PLAIN, PLAIN)
def test_signs_mean_what_they_mean_elsewhere(low: str, high: str, value: str) -> None:
    assert matcher(f"{low}..{high}", "text")(value) is (low <= value <= high)
    assert matcher(f">={low}&<={high}", "text")(value) is (low <= value <= high)
    assert matcher(f"<{low}|>{high}", "text")(value) is (value < low or value > high)
    assert matcher(f"{low}|{high}&<>{low}", "text")(value) is (value == low or (value == high and value != low))
    assert matcher(f"({low}|{high})&<>{low}", "text")(value) is (value in {low, high} and value != low)


@given(st.text(st.sampled_from("aAb*?"), min_size=1, max_size=5), st.text(st.sampled_from("aAb"), max_size=6))
def test_wildcards_are_any_text_and_any_character(pattern: str, value: str) -> None:
    def matches(left: str, right: str) -> bool:
        if not left:
            return not right
        if left[0] == "*":
            return any(matches(left[1:], right[start:]) for start in range(len(right) + 1))
        return bool(right) and left[0] in {"?", right[0]} and matches(left[1:], right[1:])

    assert matcher(pattern, "text")(value) is matches(pattern, value)
    assert matcher(f"@{pattern}", "text")(value) is matches(pattern.lower(), value.lower())


@given(st.decimals(-1000, 1000, places=2), st.decimals(-1000, 1000, places=2))
def test_numbers_are_compared_as_numbers(bound: Decimal, value: Decimal) -> None:
    assert matcher(f">={bound}", "decimal")(value) is (value >= bound)
    assert matcher(f"..{bound}", "decimal")(value) is (value <= bound)


@given(st.text(max_size=12))
def test_any_text_is_a_filter_or_refused(criteria: str) -> None:
    try:
        test = matcher(criteria, "text")
    except BadFilter:
        return
    assert test("ABC") in {True, False}


# --- writing

NEW = (
    "<DimensionValues><Dimension_Code>DEPARTMENT</Dimension_Code><Code>{}</Code><Name>Cost center 4711</Name>"
    "<Dimension_Value_Type>Standard</Dimension_Value_Type><Blocked>false</Blocked></DimensionValues>"
)


def test_a_created_dimension_value_is_given_back_whole(values: Caller) -> None:
    (record,) = values.call("Create", NEW.format("cc4711"))
    shown = fields(record)
    assert re.fullmatch(r"\d+;[A-Za-z0-9+/=]+;\d+;", shown.pop("Key"))
    assert shown == {
        "Dimension_Code": "DEPARTMENT",
        "Code": "CC4711",
        "Name": "Cost center 4711",
        "Dimension_Value_Type": "Standard",
        "Totaling": "",
        "Blocked": "false",
        "Map_to_IC_Dimension_Value_Code": "",
        "Consolidation_Code": "",
    }
    (found,) = values.call("Read", "<Dimension_Code>DEPARTMENT</Dimension_Code><Code>CC4711</Code>")
    assert fields(found)["Name"] == "Cost center 4711"


def test_an_update_changes_only_what_it_names_and_gives_a_new_key(values: Caller) -> None:
    (record,) = values.call("Create", NEW.format("CC4711"))
    key = fields(record)["Key"]
    (changed,) = values.call("Update", f"<DimensionValues><Key>{key}</Key><Blocked>true</Blocked></DimensionValues>")
    assert fields(changed) == fields(record) | {"Blocked": "true", "Key": fields(changed)["Key"]}
    assert fields(changed)["Key"] != key


def test_a_stale_key_changes_nothing(values: Caller) -> None:
    (record,) = values.call("Create", NEW.format("CC4711"))
    key = fields(record)["Key"]
    change = f"<DimensionValues><Key>{key}</Key><Name>{{}}</Name></DimensionValues>"
    values.call("Update", change.format("First"))
    code, text = values.fault("Update", change.format("Second"))
    assert text == "Other user has modified Dimension Value Dimension Code='DEPARTMENT',Code='CC4711'."
    assert code.startswith("Nav")
    assert values.fault("Delete", f"<Key>{key}</Key>")[1] == text
    assert values.records(("Code", "CC4711"))[0]["Name"] == "First"


def test_a_delete_tells_that_it_has_deleted(values: Caller) -> None:
    (record,) = values.call("Create", NEW.format("CC4711"))
    assert values.call("Delete", f"<Key>{fields(record)['Key']}</Key>")[0].text == "true"
    assert values.records(("Code", "CC4711")) == []


def test_a_value_exists_once(values: Caller) -> None:
    assert values.fault("Create", NEW.format("ADM")) == (
        "NavCSideDuplicateKeyException",
        "The Dimension Value already exists. Identification fields and values: Dimension Code='DEPARTMENT',Code='ADM'",
    )


def test_many_records_are_created_and_changed_in_one_call_or_not_at_all(values: Caller) -> None:
    before = len(values.records())
    whole = f"<DimensionValues_List>{NEW.format('N1')}{NEW.format('N2')}</DimensionValues_List>"
    (listed,) = values.call("CreateMultiple", whole)
    keys = [fields(record)["Key"] for record in listed]
    half = f"<DimensionValues_List>{NEW.format('N3')}{NEW.format('N1')}</DimensionValues_List>"
    assert values.fault("CreateMultiple", half)[0] == "NavCSideDuplicateKeyException"
    assert len(values.records()) == before + 2
    changes = "".join(f"<DimensionValues><Key>{key}</Key><Name>X</Name></DimensionValues>" for key in keys)
    (listed,) = values.call("UpdateMultiple", f"<DimensionValues_List>{changes}</DimensionValues_List>")
    assert [fields(record)["Name"] for record in listed] == ["X", "X"]
    assert values.fault("UpdateMultiple", f"<DimensionValues_List>{changes}</DimensionValues_List>")[1].startswith(
        "Other user has modified"
    )


def test_wrong_values_are_faults_that_say_so(values: Caller) -> None:
    long = NEW.format("C" * 21)
    assert values.fault("Create", long)[1] == (
        f"The length of the string is 21, but it must be less than or equal to 20 characters. Value: {'C' * 21}"
    )
    code, text = values.fault("Create", NEW.format(""))
    assert code == "NavTestFieldException"
    assert text.startswith("Code must have a value in Dimension Value")
    assert "NOSUCH" in values.fault("Create", NEW.format("C1").replace("DEPARTMENT", "NOSUCH"))[1]
    code, text = values.fault("Create", NEW.format("C1").replace("Standard", "Begin-Total"))
    assert code == "s:Client"
    assert "'Begin-Total' is not a valid value" in text


@pytest.mark.parametrize(
    ("operation", "inside", "right"),
    [
        ("Create", "<PurchaseOrder/>", "Insert"),
        ("CreateMultiple", "<PurchaseOrder_List/>", "Insert"),
        ("Update", "<PurchaseOrder/>", "Modify"),
        ("Delete", "<Key>1</Key>", "Delete"),
        ("Delete_PurchLines", "<PurchLines_Key>1</PurchLines_Key>", "Delete"),
    ],
)
def test_other_pages_may_only_be_read(orders: Caller, operation: str, inside: str, right: str) -> None:
    assert orders.fault(operation, inside) == ("NavPermissionException", TABLE_RIGHTS.format(right))


def test_a_table_without_read_permission_is_a_fault(simulator: BusinessCentral, orders: Caller) -> None:
    simulator.unreadable.add("purchaseOrders")
    assert orders.fault("Read", "<No>106001</No>") == ("NavPermissionException", TABLE_RIGHTS.format("Read"))


# --- messages


def test_the_soap_action_must_belong_to_the_operation(orders: Caller) -> None:
    assert orders.fault("Read", "<No>1</No>", SOAPAction="")[0] == "s:Client"
    wrong = f'"{orders.namespace}:ReadMultiple"'
    assert orders.fault("Read", "<No>1</No>", SOAPAction=wrong)[0] == "s:Client"
    assert orders.post("Read", "<No>1</No>", SOAPAction=f"{orders.namespace}:Read").status_code == 200


def test_names_outside_the_contract_are_refused(orders: Caller) -> None:
    assert orders.fault("Explode")[0] == "s:Client"
    assert orders.fault("Read", "<Number>1</Number>")[0] == "s:Client"
    assert orders.fault("Read", '<No xmlns="urn:other">1</No>')[0] == "s:Client"
    assert orders.fault("ReadMultiple", "<setSize>many</setSize>")[0] == "s:Client"


def test_a_message_of_another_type_is_refused(orders: Caller) -> None:
    response = orders.post("Read", "<No>1</No>", Content_Type="application/soap+xml")
    assert fault_in(response, 415)[0] == "s:Client"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"<a/>",
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body/></s:Envelope>'.encode(),
        f'<!DOCTYPE x [<!ENTITY a "b">]><s:Envelope xmlns:s="{ENVELOPE}"><s:Body><x>&a;</x></s:Body></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><x/></s:Body></s:Envelope>'.encode("utf-16"),
        f'<?xml version="1.0" encoding="utf-7"?><s:Envelope xmlns:s="{ENVELOPE}"><s:Body><x/></s:Body></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body>{"<x>" * 100}{"</x>" * 100}</s:Body></s:Envelope>'.encode(),
    ],
)
def test_a_dangerous_or_broken_message_is_left_unread(content: bytes) -> None:
    with pytest.raises(SoapFault):
        read_body(content)


def test_a_message_above_the_limit_is_answered_413(simulator: BusinessCentral, orders: Caller) -> None:
    assert simulator.soap.body_bytes == 65_536 * 1024
    simulator.soap.body_bytes = 2_000
    assert orders.post("Read", "<No>1</No>").status_code == 200
    assert orders.post("Read", "<No>1</No>" + " " * 2_000).status_code == 413


def test_fault_texts_speak_the_callers_language(values: Caller) -> None:
    response = values.post("Create", NEW.format("ADM"), Accept_Language="de-DE")
    assert fault_in(response)[1].startswith("Dimension Value ist bereits vorhanden.")
    assert 'xml:lang="de-DE"' in response.text


# --- addresses


def test_a_service_that_is_switched_off_is_answered_405(simulator: BusinessCentral, orders: Caller) -> None:
    simulator.soap.enabled = False
    assert orders.post("Read", "<No>106001</No>").status_code == 405
    assert orders.client.get(orders.address).status_code == 405


def test_requests_without_the_right_key_are_challenged(orders: Caller) -> None:
    orders.client.auth = httpx.BasicAuth("CONNECTOR", "wrong")
    response = orders.post("Read", "<No>106001</No>")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Basic realm=""')


def test_the_list_of_services_names_what_is_published(simulator: BusinessCentral, orders: Caller) -> None:
    response = orders.client.get(f"{ROOT}/CRONUS%20USA%2C%20Inc./services")
    listed = re.findall(r'ref="([^"]+)"', response.text)
    assert orders.address.replace("%2C", ",") in [each.replace("%2C", ",") for each in listed]
    assert len(listed) == len(PAGES) + 1
    assert all(orders.client.get(each).status_code == 200 for each in listed)
    simulator.soap.version = 29
    assert re.findall(r'ref="([^"]+)"', orders.client.get(f"{ROOT}/CRONUS AG/services").text) == [
        f"{ROOT}/SystemService"
    ]


@pytest.mark.parametrize("path", ["/SystemService", "/CRONUS%20AG/SystemService"])
def test_the_system_service_lists_the_companies(orders: Caller, path: str) -> None:
    orders.address, orders.namespace = ROOT + path, "urn:microsoft-dynamics-schemas/nav/system/"
    assert [each.text for each in orders.call("Companies")] == ["CRONUS USA, Inc.", "CRONUS AG"]


def test_an_unknown_company_or_instance_is_refused(simulator: BusinessCentral) -> None:
    code, _ = Caller(simulator, "PurchaseOrder", "cronus%20ag").fault("Read", "<No>106001</No>")
    assert code == "NavCompanyNotFoundException"
    caller = Caller(simulator, "PurchaseOrder")
    caller.address = caller.address.replace("BC240", "BC230")
    assert caller.post("Read", "<No>106001</No>").status_code == 404


def test_a_multitenant_server_wants_to_know_the_tenant(simulator: BusinessCentral, orders: Caller) -> None:
    assert simulator.on_premises is not None
    simulator.on_premises.tenants = ("default",)
    assert fault_in(orders.post("Read", "<No>1</No>"), 503)[1] == "The tenant '' is not accessible"
    orders.address += "?tenant=default"
    assert orders.post("Read", "<No>1</No>").status_code == 200


def test_codeunits_are_refused_unless_published(simulator: BusinessCentral, orders: Caller) -> None:
    orders.address = f"{ROOT}/CRONUS%20AG/Codeunit/Letters"
    orders.namespace = "urn:microsoft-dynamics-schemas/codeunit/Letters"
    assert orders.fault("Capitalize", "<text>a</text>")[1] == 'Service "Codeunit/Letters" was not found!'
    simulator.soap.codeunits["Letters"] = {"Capitalize": Function(("text",), str.upper)}
    assert orders.call("Capitalize", "<text>a</text>")[0].text == "A"


def test_online_the_same_services_want_a_token() -> None:
    simulator = BusinessCentral(COMPANIES, now=Watch())
    probe = Probe(simulator, US.id)
    root = f"{simulator.base_url}/v2.0/{simulator.tenant}/Production/WS"
    caller = Caller(simulator, "PurchaseOrder")
    caller.address = f"{root}/CRONUS%20USA%2C%20Inc./Page/PurchaseOrder"
    refused = caller.post("Read", "<No>106001</No>")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    caller.client = probe.client
    (record,) = caller.call("Read", "<No>106001</No>")
    assert fields(record)["No"] == "106001"
    assert probe.client.get(caller.address.replace("Production", "Sandbox")).status_code == 404


@pytest.mark.parametrize(
    ("version", "switch", "there"), [(25, False, True), (26, False, False), (28, True, True), (29, True, False)]
)
def test_microsofts_pages_leave_soap_in_two_steps(
    simulator: BusinessCentral, orders: Caller, version: int, switch: bool, there: bool
) -> None:
    simulator.soap.version, simulator.soap.microsoft_pages = version, switch
    assert (orders.post("Read", "<No>106001</No>").status_code == 200) is there
    simulator.page_services.published["PurchaseOrder"] = PURCHASE_ORDER
    assert orders.post("Read", "<No>106001</No>").status_code == 200


def test_a_user_with_too_many_requests_is_told_429(simulator: BusinessCentral, orders: Caller) -> None:
    simulator.limits.on, simulator.limits.in_window = True, 2
    assert [orders.post("Read", "<No>106001</No>").status_code for _ in range(3)] == [200, 200, 429]


# --- clients


def test_passwords_are_hashed_as_the_public_test_suite_has_it() -> None:
    assert md4(b"").hex() == "31d6cfe0d16ae931b73c59d7e0c089c0"
    assert md4(b"12345678901234567890" * 4).hex() == "e33b4ddc9c38f2199c3e7b164fcc0536"


@pytest.fixture
def served(simulator: BusinessCentral) -> Iterator[Served]:
    simulator.soap.windows = True
    with serve(Exchange(simulator.handle), control=simulator.control) as running:
        yield running


Connect = Callable[[str], Any]


@pytest.fixture
def connect(served: Served) -> Connect:
    return lambda password: nav.NAV(f"{served.url}/BC240/WS/CRONUS%20AG/", "SANDBOX\\CONNECTOR", password)


def test_the_nav_package_reads_orders_with_their_lines(simulator: BusinessCentral, connect: Connect) -> None:
    found = connect(KEY).read_multiple(
        "PurchaseOrder", filters={"No": "106001..106003", "Status": "<>Open"}, num_results=2
    )
    for order in found:
        document = simulator.document("CRONUS AG", order["No"])
        lines = order["PurchLines"]["Purchase_Order_Line"]
        assert [line["Line_No"] for line in lines] == [line.values["sequence"] for line in document.lines]
        assert [line["Quantity"] for line in lines] == [line.values["quantity"] for line in document.lines]
        assert order["Order_Date"] == document.header["orderDate"]
    assert len(found) == 2


def test_the_nav_package_reads_without_any_filter(connect: Connect) -> None:
    # Its own way of sending no filter breaks with the present zeep, hence the service behind it.
    found = connect(KEY).make_service("Page", "DimensionValues").ReadMultiple(setSize=0)
    assert len(found) == len(COMPANIES[1].tables["dimensionValues"])


def test_the_nav_package_creates_a_dimension_value(connect: Connect) -> None:
    client = connect(KEY)
    entry = {"Dimension_Code": "DEPARTMENT", "Code": "CC4711", "Name": "Kostenstelle 4711", "Blocked": False}
    (made,) = client.create_multiple("DimensionValues", entries=[entry])
    assert made["Dimension_Value_Type"] == "Standard"
    (found,) = client.read_multiple("DimensionValues", filters={"Code": "CC4711"})
    assert (found["Name"], found["Key"]) == ("Kostenstelle 4711", made["Key"])
    with pytest.raises(zeep.exceptions.Fault, match="The Dimension Value already exists"):
        client.create_multiple("DimensionValues", entries=[entry])


def test_the_nav_package_is_refused_with_a_wrong_password(connect: Connect) -> None:
    with pytest.raises(NAVHTTPError) as caught:
        connect("wrong").read_multiple("PurchaseOrder")
    assert caught.value.response.status_code == 401


def test_the_nav_package_calls_a_published_codeunit(simulator: BusinessCentral, connect: Connect) -> None:
    simulator.soap.codeunits["Letters"] = {"Capitalize": Function(("text",), str.upper)}
    assert connect(KEY).codeunit("Letters", "Capitalize", {"text": "a"}) == "A"


def test_with_windows_log_in_basic_is_of_no_use(served: Served) -> None:
    basic = base64.b64encode(f"CONNECTOR:{KEY}".encode()).decode()
    response = httpx.get(
        f"{served.url}/BC240/WS/CRONUS%20AG/Page/PurchaseOrder", headers={"Authorization": f"Basic {basic}"}
    )
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "NTLM")

"""The OData dialect: words decoded, literals that cannot carry a query, links that stay at home."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.business_central.odata import any_of, blank_to_none, decoded_word, guid, moment, pinned, query
from connector.errors import Outage
from connector.model.stamps import parse_stamp

BASE = "https://api.businesscentral.dynamics.com/v2.0/tenant/Production/api/v2.0"
ID = "7c46f200-9580-f111-8070-0022483430dd"


@pytest.mark.parametrize(
    ("word", "decoded"),
    [
        ("Open", "Open"),
        ("In_x0020_Review", "In Review"),
        ("Fixed_x0020_Asset", "Fixed Asset"),
        ("Begin_x002D_Total", "Begin-Total"),
        ("G_x002F_L_x0020_Account", "G/L Account"),
        ("Charge_x0020__x0028_Item_x0029_", "Charge (Item)"),
        ("Begin_x002d_Total", "Begin-Total"),
        ("_x0020_", ""),
        ("", ""),
        (" ", ""),
        ("In Review", "In Review"),
        ("A_x005F_x0020_B", "A_x0020_B"),
        ("A_x20_B", "A_x20_B"),
        ("A_x00G0_B", "A_x00G0_B"),
        ("Allocation_x0020_Account", "Allocation Account"),
    ],
)
def test_an_encoded_word_is_decoded(word: str, decoded: str) -> None:
    assert decoded_word(word) == decoded


@given(st.from_regex(r"[A-Za-z]([A-Za-z ()/.\-]{0,20}[A-Za-z)])?", fullmatch=True))
def test_every_word_survives_bcs_encoding(word: str) -> None:
    encoded = "".join(char if char.isalpha() else f"_x{ord(char):04X}_" for char in word)
    assert decoded_word(encoded) == word


@given(st.uuids())
def test_a_guid_is_written_bare_and_in_lower_case(id_: UUID) -> None:
    assert guid(str(id_).upper()) == str(id_)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "106001",
        f"{{{ID}}}",
        f"'{ID}'",
        f" {ID}",
        f"{ID}\n",
        f"{ID}) or (id ne {ID}",
        ID.replace("-", ""),
        ID[:-1],
        f"{ID}0",
        "７c46f200-9580-f111-8070-0022483430dd",  # noqa: RUF001 - a full-width digit is the case
        "zc46f200-9580-f111-8070-0022483430dd",
    ],
)
def test_what_is_no_guid_never_reaches_a_query(text: str) -> None:
    with pytest.raises(ValueError, match="not a GUID"):
        guid(text)
    with pytest.raises(ValueError, match="not a GUID"):
        any_of("id", [ID, text])


def test_several_ids_are_asked_for_by_or_over_one_field() -> None:
    other = "1773153c-6329-f111-8340-000d3a11d3d8"
    assert any_of("id", [ID, other.upper()]) == f"id eq {ID} or id eq {other}"
    assert any_of("documentId", [ID]) == f"documentId eq {ID}"


@pytest.mark.parametrize(
    ("stamp", "literal"),
    [
        (datetime(2026, 7, 15, 21, 34, 51, 827000, tzinfo=UTC), "2026-07-15T21:34:51.827Z"),
        (datetime(2026, 7, 15, 21, 34, 51, tzinfo=UTC), "2026-07-15T21:34:51.000Z"),
        (datetime(2026, 7, 15, 21, 34, 51, 999999, tzinfo=UTC), "2026-07-15T21:34:51.999Z"),
        (datetime(2026, 7, 15, 23, 34, 51, tzinfo=timezone(timedelta(hours=2))), "2026-07-15T21:34:51.000Z"),
        (datetime(1, 1, 2, tzinfo=UTC), "0001-01-02T00:00:00.000Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_milliseconds(stamp: datetime, literal: str) -> None:
    assert moment(stamp) == literal


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_written_moment_never_lies_after_the_moment_itself(stamp: datetime) -> None:
    written = parse_stamp(moment(stamp))
    assert timedelta(0) <= stamp - written < timedelta(milliseconds=1)


def test_bcs_empty_date_is_none() -> None:
    assert blank_to_none(date(1, 1, 1)) is None
    assert blank_to_none(None) is None
    assert blank_to_none(date(2024, 2, 29)) == date(2024, 2, 29)


def test_a_query_is_encoded_as_bc_takes_it() -> None:
    assert (
        query(
            filter="lastModifiedDateTime ge 2026-07-15T21:34:51.827Z",
            orderby="lastModifiedDateTime asc,id asc",
            expand="purchaseOrderLines($select=id;$expand=dimensionSetLines)",
            select="",
        )
        == "$filter=lastModifiedDateTime+ge+2026-07-15T21:34:51.827Z&$orderby=lastModifiedDateTime+asc,id+asc"
        "&$expand=purchaseOrderLines($select=id;$expand=dimensionSetLines)"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_text_of_an_option_leaves_its_option(text: str) -> None:
    encoded = query(filter=text)
    assert parse_qsl(encoded, keep_blank_values=True) == [("$filter", text)]
    assert encoded.isascii()
    assert not set(encoded) & set('"#&<>\\ \t\r\n')


@pytest.mark.parametrize(
    "link",
    [
        f"{BASE}/companies({ID})/purchaseOrders?$skiptoken={ID}",
        f"{BASE}/companies",
        f"{BASE.replace('api.business', 'API.Business')}/companies?aid=FIN",
        f"{BASE.replace('.com/', '.com:443/')}/companies?$skiptoken=1",
    ],
)
def test_a_link_inside_the_base_address_is_followed_as_it_is(link: str) -> None:
    assert pinned(link, BASE) == link


@pytest.mark.parametrize(
    "link",
    [
        BASE.replace("https", "http") + "/companies",
        "https://evil.example/v2.0/tenant/Production/api/v2.0/companies",
        "//evil.example/v2.0/tenant/Production/api/v2.0/companies",
        f"{BASE.replace('.com/', '.com.evil.example/')}/companies",
        f"{BASE.replace('https://', 'https://user:word@')}/companies",
        f"{BASE.replace('https://api', 'https://evil.example@api')}/companies",
        f"{BASE.replace('.com/', '.com:8443/')}/companies",
        f"{BASE.replace('.com/', '.com:port/')}/companies",
        "https://[/v2.0/companies",
        f"{BASE}/../admin",
        f"{BASE}/%2e%2e/admin",
        f"{BASE}/%2E./admin",
        f"{BASE}beta/companies",
        BASE.replace("Production", "Sandbox") + "/companies",
        BASE,
        "companies?$skiptoken=1",
        "/v2.0/tenant/Production/api/v2.0/companies",
        "javascript:alert(1)",
        "",
        "None",
    ],
)
def test_a_link_elsewhere_is_an_outage(link: str) -> None:
    with pytest.raises(Outage, match="next link"):
        pinned(link, BASE)

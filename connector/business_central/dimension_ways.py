"""The ways to the values of a dimension: the addresses of each, the names it gives to a value's attributes, and its rows.

API v2.0 shows values and lets nobody write them. Two ways can do that: an API page that an AL extension puts on the table
Dimension Value, keyed by SystemId, and the application's own page 537 "Dimension Values", published as a web service and keyed
by dimension and code ("Publish a web service"). The public app "API Reports Finance" shows nearly as much, for reading only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from connector.business_central.odata import decoded_word, guid, literal, query
from connector.business_central.permitted import PAGE_SERVICES
from connector.business_central.reference_reader import FINANCE
from connector.business_central.session import Json
from connector.business_central.wire import SystemId, Text
from connector.model.alignment import Value, ValueType
from connector.model.codes import as_code
from connector.model.stamps import NEVER, parse_stamp
from connector.setting_words import Company

Kind = Literal["extension", "page service", "none"]
Attribute = Literal["dimension", "code", "name", "type", "totaling", "blocked", "etag", "id", "modified"]
Change = Literal["name", "type", "totaling", "blocked"]


@dataclass(frozen=True, slots=True)
class RouteFound:
    """The way by which a company's values can be written. `name`: of the extension's API, or of the page service; `why`: a
    sentence that says so, or what to install or publish."""

    kind: Kind
    name: str
    why: str


class UnreadableValue(Exception):
    """A row is no value of the dimension that was asked for. The message says why."""


def _word(value: object) -> object:
    return decoded_word(value) if isinstance(value, str) else value


def _stamp(value: object) -> datetime | None:
    if not isinstance(value, str):
        raise ValueError("not a date-time")
    stamp = parse_stamp(value)
    return stamp if stamp > NEVER else None


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)

    dimension: Text
    code: Annotated[Text, Field(min_length=1)]
    name: Text
    type: Annotated[ValueType, BeforeValidator(_word)]
    blocked: StrictBool
    totaling: Text = ""
    etag: Text = ""
    id: SystemId = ""
    modified: Annotated[datetime | None, BeforeValidator(_stamp)] = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way. `api`: where its addresses begin; `set`: the entity set; `title`: what a person calls it; `properties`: the name
    of each attribute, as far as the way has it."""

    kind: Kind
    api: str
    set: str
    title: str
    properties: Mapping[Attribute, str]

    def collection(self, company: Company) -> str:
        """The address of a company's values, of all dimensions."""
        # By id: a company can be given another name at any time.
        owner = f"Company(Id={guid(company.id)})" if self.api == PAGE_SERVICES else f"companies({guid(company.id)})"
        return f"{owner}/{self.set}"

    def of(self, company: Company, dimension: str) -> str:
        """The address of the values of one dimension."""
        condition = f"{self.properties['dimension']} eq {literal(as_code(dimension))}"
        return f"{self.collection(company)}?{query(filter=condition)}"

    def one(self, company: Company, dimension: str, value: Value) -> str:
        """The address of one value, as it was read."""
        if self.api != PAGE_SERVICES:
            return f"{self.collection(company)}({guid(value.id)})"
        names = self.properties
        key = f"{names['dimension']}={_key(as_code(dimension))},{names['code']}={_key(value.code)}"
        return f"{self.collection(company)}({key})"

    def new(self, dimension: str, value: Value) -> dict[str, str | bool]:
        """The body that adds a value. A type comes before what BC allows for it only."""
        row = self.changed({"name": value.name, "type": value.type, "blocked": value.blocked})
        if value.totaling:
            row |= self.changed({"totaling": value.totaling})
        return {self.properties["dimension"]: as_code(dimension), self.properties["code"]: value.code} | row

    def changed(self, changes: Mapping[Change, str | bool]) -> dict[str, str | bool]:
        """The body that changes these attributes."""
        return {self.properties[attribute]: value for attribute, value in changes.items()}

    def lacking(self, row: Json) -> list[str]:
        """The properties that a row should have and has not."""
        return [name for name in self.properties.values() if name not in row]

    def value(self, row: Json, dimension: str) -> Value:
        """The value that a row of this dimension tells of. Raises `UnreadableValue`."""
        lacking = self.lacking(row)
        if lacking:
            raise UnreadableValue(f"{lacking[0]} is missing")
        try:
            told = _Row.model_validate({name: row[property_] for name, property_ in self.properties.items()})
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise UnreadableValue(f"{self._property(fault['loc'])}: {fault['msg']}") from error
        if as_code(told.dimension) != as_code(dimension):
            raise UnreadableValue("it is of another dimension")
        return Value(
            told.code, told.name, told.type, told.blocked, told.totaling, told.id, told.etag, modified=told.modified
        )

    def _property(self, place: tuple[int | str, ...]) -> str:
        return next((name for attribute, name in self.properties.items() if attribute == place[0]), str(place[0]))


def _key(text: str) -> str:
    return "'" + quote(text.replace("'", "''"), safe="") + "'"


def by_extension(api: str) -> Way:
    """The way through an extension's API page."""
    return Way("extension", api, "dimensionValues", f"the API {api} of an extension", _EXTENSION)


def by_page_service(service: str) -> Way:
    """The way through page 537 under the name it is published by."""
    return Way("page service", PAGE_SERVICES, service, f"the page service {service}", _PAGE)


_EXTENSION: Mapping[Attribute, str] = MappingProxyType(
    {
        "dimension": "dimensionCode",
        "code": "code",
        "name": "displayName",
        "type": "dimensionValueType",
        "totaling": "totaling",
        "blocked": "blocked",
        "etag": "@odata.etag",
        "id": "id",
        "modified": "lastModifiedDateTime",
    }
)
_PAGE: Mapping[Attribute, str] = MappingProxyType(
    {
        "dimension": "Dimension_Code",
        "code": "Code",
        "name": "Name",
        "type": "Dimension_Value_Type",
        "totaling": "Totaling",
        "blocked": "Blocked",
        "etag": "@odata.etag",
    }
)
READING_ONLY = Way(
    "none",
    FINANCE,
    "dimensionValues",
    "the app API Reports Finance",
    MappingProxyType(
        {
            "dimension": "dimensionCode",
            "code": "dimensionValueCode",
            "name": "dimensionValueName",
            "type": "dimensionValueType",
            "blocked": "blocked",
            "modified": "lastModifiedDateTime",
        }
    ),
)
"""Tells neither what a value totals nor which version of it was read."""

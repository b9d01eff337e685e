"""The reader of references: one company's dimensions, G/L accounts, posting window, and vendors by number.

Only the API of the public app "API Reports Finance" tells type and block of dimension values; it is there on versions that have
that app, and without it API v2.0 tells at least which values there are.

Words of enumerations that AL extensions have added ("Vendor Blocked" and "Default Dimension Value Posting Type" are open to
them) are kept as they are where a rule can still name them. Only a value posting of which nobody can say what it demands is
left out: BC enforces it itself, and an outage would hold up the documents of everybody else for ever. `unknown` names all of
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError

from connector.business_central.odata import any_text_of, query
from connector.business_central.permitted import API_V2
from connector.business_central.session import SYSTEM, BusinessCentralSession, PageBroken
from connector.business_central.stretches import set_path
from connector.business_central.wire import AnyId, Day, SystemId, Text, Word
from connector.errors import Outage, Refused
from connector.model.codes import as_code
from connector.model.references import (
    AccountFacts,
    DefaultDimension,
    DimensionRule,
    PostingWindow,
    ValueFacts,
    VendorFacts,
)
from connector.ports import Clock
from connector.setting_words import Company

FINANCE = "microsoft/reportsFinance/beta"
PAGE = 5000
VENDORS_A_CALL = 100
LONGEST_NUMBER = 20
"""Characters of a vendor's number. BC refuses a whole filter over a longer one."""
WITHOUT_FINANCE_FOR = 6 * 3600.0
"""Seconds for which the finance API is believed to be missing: an app can be installed at any time."""

TOTALLED = frozenset({"Heading", "Total", "Begin-Total", "End-Total"})
VALUE_TYPES, ACCOUNT_TYPES = TOTALLED | {"Standard"}, TOTALLED | {"Posting"}
BLOCKS = frozenset({"", "Payment", "All"})
RULES: Mapping[str, DimensionRule] = {"Code Mandatory": "mandatory", "Same Code": "same", "No Code": "none"}

Values = Mapping[tuple[str, str], ValueFacts]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Dimension(_Row):
    id: SystemId
    code: Text


class _PlainValue(_Row):
    code: Text
    dimensionId: AnyId


class _FinanceValue(_Row):
    dimensionCode: Text
    dimensionValueCode: Text
    dimensionValueType: Word
    blocked: StrictBool


class _Account(_Row):
    number: Text
    accountType: Word
    directPosting: StrictBool
    blocked: StrictBool


class _Setup(_Row):
    allowPostingFrom: Day
    allowPostingTo: Day


class _Default(_Row):
    dimensionCode: Text
    dimensionValueCode: Text
    postingValidation: Word


class _Vendor(_Row):
    id: SystemId
    number: Text
    blocked: Word
    defaultDimensions: list[_Default]


R = TypeVar("R", bound=_Row)
_VENDOR_SELECT = ",".join(name for name in _Vendor.model_fields if name != "defaultDimensions")
_VENDOR_EXPAND = f"defaultDimensions($select={','.join(_Default.model_fields)})"


class ReferenceReader:
    """Reads one company's sets. Raises `Outage` when BC cannot serve, or serves rows that are not as they should be.

    `unknown`: words of BC's enumerations met so far that are not known here, each with the property that had it.
    """

    def __init__(self, session: BusinessCentralSession, clock: Clock, company: Company, max_url: int) -> None:
        self._session = session
        self._clock = clock
        self._company = company
        self._max_url = max_url
        self._plain_until = 0.0
        self.unknown: frozenset[tuple[str, str]] = frozenset()

    def values(self) -> tuple[frozenset[str], Values]:
        """All dimensions and values."""
        finance = self._finance_values()
        plain = [] if finance is not None else list(self._rows("dimensionValues", _PlainValue))
        # The dimensions last: one that is new since the values were read is among them, and none lacks its code.
        dimensions = {row.id: row.code for row in self._rows("dimensions", _Dimension)}
        codes = frozenset(dimensions.values())
        if finance is not None:
            return codes, MappingProxyType(finance)
        if any(row.dimensionId not in dimensions for row in plain):
            raise Outage(SYSTEM, "dimensionValues cannot be read (a value is of no dimension)")
        if self._clock.monotonic() >= self._plain_until:
            # Not before all else could be read: then it is the finance API that is missing, and not the permission to read.
            self._plain_until = self._clock.monotonic() + WITHOUT_FINANCE_FOR
        return codes, MappingProxyType({(dimensions[row.dimensionId], row.code): ValueFacts() for row in plain})

    def _finance_values(self) -> dict[tuple[str, str], ValueFacts] | None:
        """All values with type and block; None where the finance API is not there for us."""
        if self._clock.monotonic() < self._plain_until:
            return None
        try:
            return {
                (row.dimensionCode, row.dimensionValueCode): ValueFacts(
                    self._word("dimensionValueType", row.dimensionValueType, VALUE_TYPES), row.blocked
                )
                for row in self._rows("dimensionValues", _FinanceValue, api=FINANCE)
            }
        except Refused:
            return None

    def accounts(self) -> Mapping[str, AccountFacts]:
        """All accounts."""
        return MappingProxyType(
            {
                row.number: AccountFacts(
                    self._word("accountType", row.accountType, ACCOUNT_TYPES), row.directPosting, row.blocked
                )
                for row in self._rows("accounts", _Account)
            }
        )

    def window(self) -> PostingWindow:
        """The window of the company's only set-up."""
        for row in self._rows("generalLedgerSetup", _Setup):
            return PostingWindow(row.allowPostingFrom, row.allowPostingTo)
        raise Outage(SYSTEM, "generalLedgerSetup cannot be read (there is none)")

    def parts(self, codes: Sequence[str]) -> Iterator[list[str]]:
        """The vendors' codes in parts of which each fits into an address."""
        base = len(self._session.base()) + 1
        part: list[str] = []
        for code in codes:
            longer = set_path(self._company, "vendors") + "?" + _vendor_query([*part, code])
            if part and (len(part) == VENDORS_A_CALL or base + len(longer) > self._max_url):
                yield part
                part = []
            part.append(code)
        if part:
            yield part

    def vendors(self, codes: Sequence[str]) -> dict[str, VendorFacts]:
        """Those of the vendors that there are."""
        rows = self._rows("vendors", _Vendor, options=_vendor_query(codes), page_size=len(codes))
        return {
            as_code(row.number): VendorFacts(self._word("blocked", row.blocked, BLOCKS), tuple(self._defaults(row)))
            for row in rows
        }

    def _defaults(self, vendor: _Vendor) -> Iterator[DefaultDimension]:
        for row in sorted(vendor.defaultDimensions, key=lambda row: row.dimensionCode):
            rule = RULES.get(self._word("postingValidation", row.postingValidation, {"", *RULES}))
            if rule is not None:
                yield DefaultDimension(row.dimensionCode, row.dimensionValueCode, rule)

    def _word(self, name: str, word: str, known: Iterable[str]) -> str:
        if word not in known:
            self.unknown |= {(name, word)}
        return word

    def _rows(
        self, entity_set: str, form: type[R], *, options: str = "", page_size: int = PAGE, api: str = API_V2
    ) -> Iterator[R]:
        path = f"{set_path(self._company, entity_set)}?{options or query(select=','.join(form.model_fields))}"
        try:
            for page in self._session.pages(path, page_size=page_size, api=api):
                for row in page.rows:
                    yield form.model_validate(row)
        except ValidationError as error:
            fault = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise Outage(SYSTEM, f"{entity_set} cannot be read ({where}: {fault['msg']})") from error
        except PageBroken as broken:
            raise Outage(SYSTEM, f"{entity_set} cannot be read ({broken})") from broken


def _vendor_query(codes: Sequence[str]) -> str:
    return query(filter=any_text_of("number", codes), expand=_VENDOR_EXPAND, select=_VENDOR_SELECT)


def askable(code: str) -> bool:
    """Whether a vendor can have this number and BC can be asked for it; half a character fits into no address."""
    return 0 < len(code) <= LONGEST_NUMBER and not any("\ud800" <= letter <= "\udfff" for letter in code)

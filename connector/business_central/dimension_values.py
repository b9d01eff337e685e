"""The values of a company's dimensions, read and written by the way that its tenant offers. Nothing is ever deleted.

What a change rests on may have moved on since it was read: then nothing is written, and the caller reads again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from connector.business_central.dimension_ways import (
    READING_ONLY,
    Change,
    RouteFound,
    UnreadableValue,
    Way,
    by_extension,
    by_page_service,
)
from connector.business_central.odata import query
from connector.business_central.permitted import Method, fits_address
from connector.business_central.session import (
    SETTLES_AFTER,
    SYSTEM,
    BusinessCentralSession,
    ChangeRefused,
    Json,
    NotOffered,
    NotPermitted,
    PageBroken,
)
from connector.errors import Ambiguous, ConnectorError, Outage, Refused
from connector.model.alignment import Value, ValueType
from connector.ports import Clock
from connector.setting_words import Company

PAGE = 5000
REMEMBERED_FOR = 6 * 3600.0
"""Seconds for which a way that was found is used without another look."""
MISSING_FOR = 900.0
"""Seconds for which none is believed to be there: somebody may be installing one right now."""
_CHANGED = ("Request_EntityChanged", "BadRequest_InvalidToken")
_NOWHERE = ("", "BadRequest_NotFound", "BadRequest_ResourceNotFound")
_PERMISSION = "give the application's user a permission set that inserts and modifies Dimension Value (table 349)"


class RouteMissing(Refused):
    """The tenant offers no way to write dimension values. The message says what to install or publish."""


class Outdated(ConnectorError):
    """What was known of a value is no longer so, and nothing was written: read again and decide again."""

    def __init__(self, cause: Literal["changed", "gone", "there already"], code: str) -> None:
        super().__init__(f"the dimension value {code} is not as it was read ({cause})")
        self.cause = cause


class ValueRefused(ConnectorError):
    """BC will not have this value or this change of it. `code` is BC's, and `words` are: they say why."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{SYSTEM} will not have it: {words or code}")
        self.code = code
        self.words = words


class DimensionValues:
    """Reads and writes dimension values. The extension and the page service it looks for are those the session permits.

    Every method raises `Outage` when BC cannot serve, `Refused` when a permission or a switch stands in the way.
    """

    def __init__(self, session: BusinessCentralSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        permitted = session.permitted
        self._ways = [by_extension(permitted.extension)] if permitted.extension else []
        self._ways += [by_page_service(permitted.service)] if permitted.service else []
        self._found: dict[str, tuple[RouteFound, float]] = {}

    def route(self, company: Company) -> RouteFound:
        """The way by which the company's values can be written: found by reading only, and remembered."""
        found, until = self._found.get(company.id, (None, 0.0))
        if found is None or self._clock.monotonic() >= until:
            found = self._look(company)
            lasts = MISSING_FOR if found.kind == "none" else REMEMBERED_FOR
            self._found[company.id] = (found, self._clock.monotonic() + lasts)
        return found

    def read(self, company: Company, dimension: str) -> list[Value]:
        """All values of a dimension, by code; none of a dimension that is not there.

        Where nothing can be written they come without etag, id and totaling, if BC shows them at all; else `RouteMissing`.
        """
        found = self.route(company)
        way = self._way(found) or READING_ONLY
        values: dict[str, Value] = {}
        try:
            for page in self._session.pages(way.of(company, dimension), page_size=PAGE, api=way.api):
                for row in page.rows:
                    value = way.value(row, dimension)
                    values[value.code] = value
        except NotOffered as missing:
            if way is READING_ONLY:
                raise RouteMissing(SYSTEM, found.why) from missing
            self._found.pop(company.id, None)
            raise
        except (PageBroken, UnreadableValue) as broken:
            raise Outage(SYSTEM, f"{way.title} cannot be read ({broken})") from broken
        return [values[code] for code in sorted(values)]

    def create(self, company: Company, dimension: str, value: Value) -> Value:
        """Adds a value to a dimension; the value as BC keeps it. Codes come back in capitals.

        Raises `Outdated` when it is there already, `ValueRefused`, `RouteMissing`, `Ambiguous` when the answer was lost.
        """
        way = self._writing(company)
        row = self._send("POST", company, way, way.collection(company), way.new(dimension, value), value)
        return _told(way, row, dimension)

    def change(
        self,
        company: Company,
        dimension: str,
        value: Value,
        *,
        name: str | None = None,
        blocked: bool | None = None,
        type: ValueType | None = None,
        totaling: str | None = None,
    ) -> Value:
        """Changes what is given, if the value is still as it was read (`value`); the value as BC keeps it now.

        Raises `Outdated` when it is not, `ValueRefused` (the type of a value that was ever used cannot be changed),
        `RouteMissing`, `Ambiguous` when the answer was lost.
        """
        given: dict[Change, str | bool | None] = {
            "name": name,
            "type": type,
            "totaling": totaling,
            "blocked": blocked,
        }
        changes: dict[Change, str | bool] = {each: new for each, new in given.items() if new is not None}
        if not changes:
            return value
        way = self._writing(company)
        if not value.etag or ("id" in way.properties and not value.id):
            # It was read where nothing can be written.
            raise Outdated("changed", value.code)
        if "id" not in way.properties and not (fits_address(value.code) and fits_address(dimension)):
            raise ValueRefused("", f"{way.title} cannot name this code in an address")
        address = way.one(company, dimension, value)
        return _told(way, self._send("PATCH", company, way, address, way.changed(changes), value), dimension)

    # -- the way

    def _look(self, company: Company) -> RouteFound:
        missing = []
        for way in self._ways:
            lack = self._lack(company, way)
            if not lack:
                name = way.set if way.kind == "page service" else way.api
                return RouteFound(way.kind, name, f"dimension values are read and written through {way.title}")
            missing.append(f"{way.title} {lack}")
        return RouteFound(
            "none", "", _missing(self._session.permitted.extension, self._session.permitted.service, missing)
        )

    def _lack(self, company: Company, way: Way) -> str:
        """What is wrong with a way; "" when nothing is."""
        path = f"{way.collection(company)}?{query(top='1')}"
        try:
            for page in self._session.pages(path, page_size=1, api=way.api):
                for row in page.rows:
                    lacking = way.lacking(row)
                    return f"lacks {', '.join(lacking)}" if lacking else ""
        except NotOffered:
            return "is not there"
        except PageBroken as broken:
            raise Outage(SYSTEM, f"{way.title} cannot be read ({broken})") from broken
        return ""

    def _way(self, found: RouteFound) -> Way | None:
        return next((way for way in self._ways if way.kind == found.kind), None)

    def _writing(self, company: Company) -> Way:
        found = self.route(company)
        way = self._way(found)
        if way is None:
            raise RouteMissing(SYSTEM, found.why)
        return way

    # -- one change

    def _send(
        self, method: Method, company: Company, way: Way, path: str, body: Mapping[str, str | bool], value: Value
    ) -> Json:
        try:
            etag = value.etag if method == "PATCH" else ""
            return self._session.change(method, path, body, api=way.api, etag=etag)
        except ChangeRefused as refused:
            if refused.status == 404 and refused.code in _NOWHERE and not _told_apart(way, value):
                self._found.pop(company.id, None)
            raise _meaning(method, way, value, refused) from refused
        except NotOffered as closed:
            self._found.pop(company.id, None)
            raise RouteMissing(
                SYSTEM, f"{way.title} takes no changes; is it page 537, and may its page insert and modify?"
            ) from closed
        except NotPermitted as refused:
            raise NotPermitted(SYSTEM, f"dimension values cannot be written; {_PERMISSION}") from refused
        except PageBroken as broken:
            raise _unknown(str(broken)) from broken


def _meaning(method: Method, way: Way, value: Value, refused: ChangeRefused) -> ConnectorError:
    """What a refusal says about the value, or about the set-up."""
    code, words = refused.code, refused.words
    if code == "Internal_EntityWithSameKeyExists":
        return Outdated("there already", value.code)
    if refused.status == 412 or code in _CHANGED:
        return Outdated("changed", value.code)
    if method == "PATCH" and (code == "Internal_RecordNotFound" or refused.status == 410):
        return Outdated("gone", value.code)
    if "current permissions prevented" in words or "do not have permissions" in words:
        return NotPermitted(SYSTEM, f"dimension values cannot be written; {_PERMISSION}")
    if code == "Application_CallbackNotAllowed":
        return Refused(
            SYSTEM,
            "asks a question when a dimension value is written, and nobody is there to answer; on the page Cost Accounting "
            "Setup set Align Cost Center Dimension to Automatic or No Alignment",
        )
    if code == "Internal_CompanyNotFound":
        return Refused(SYSTEM, "has no company of this id; check COMPANIES")
    if code in _NOWHERE and _told_apart(way, value):
        return ValueRefused(
            code, f"{way.title} does not find the code {value.code}, which holds a slash; use an extension"
        )
    if refused.status == 404 and code in _NOWHERE:
        return RouteMissing(SYSTEM, f"{way.title} is no longer there")
    if refused.status == 409:
        return Outage(SYSTEM, f"cannot write a dimension value now (409 {code})".replace(" )", ")"))
    return ValueRefused(code, words)


def _told_apart(way: Way, value: Value) -> bool:
    """Whether an address that is not found says something about the value: OData servers are known to lose their way where a
    key holds a slash, encoded as it must be or not."""
    return way.kind == "page service" and any(letter in value.code for letter in "/\\")


def _told(way: Way, row: Json, dimension: str) -> Value:
    try:
        return way.value(row, dimension)
    except UnreadableValue as unreadable:
        raise _unknown(f"the answer describes no dimension value: {unreadable}") from unreadable


def _unknown(why: str) -> Ambiguous:
    return Ambiguous(SYSTEM, f"a dimension value may have been written ({why})", settles_after=SETTLES_AFTER)


def _missing(extension: str, service: str, missing: list[str]) -> str:
    return (
        f"offers no way to write dimension values ({'; '.join(missing) or 'none is set'}); install the extension with the API "
        f"{extension or '(BC_EXTENSION)'}, or publish page 537 Dimension Values as the web service "
        f"{service or '(BC_DIMENSION_VALUES_SERVICE)'}, and {_PERMISSION}"
    )

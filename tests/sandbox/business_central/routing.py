"""From an address to what it means: the service behind it, the company, and the entity set, record or count it names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from tests.sandbox.business_central.encoding import is_guid
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.errors import malformed_guid, unknown_company, unknown_segment
from tests.sandbox.business_central.file_sets import PDF_DOCUMENTS
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.media import document_of, pdf_record
from tests.sandbox.business_central.query import Expansion, Shape
from tests.sandbox.business_central.reads import children, single, to_one
from tests.sandbox.business_central.store import CompanyState, Record

_TOKEN = re.compile(r"/([^/]+)/oauth2/(?:(v2\.0)/)?token")
_API = re.compile(
    r"(/v2\.0(?:/(?P<tenant>[^/]+))?/(?P<environment>[^/]+)"
    r"/(?:api/(?P<api>v2\.0|[\w-]+/[\w-]+/[\w.]+)|ODataV4))(?P<rest>/.*)?"
)
PAGES = "ODataV4"
_SEGMENT = re.compile(r"(\$?\w+)(?:\((.*)\))?")


@dataclass(frozen=True)
class TokenRoute:
    """The token endpoint of a tenant; `version` is ``v2.0`` or empty for the older one."""

    tenant: str
    version: str


@dataclass(frozen=True)
class ApiRoute:
    """An API address: its base, the environment and tenant it names, and the segments behind the base.

    `api` is ``v2.0``, or publisher, group and version of another API, or ``ODataV4`` for the page services.
    """

    base: str
    tenant: str | None
    environment: str
    segments: tuple[str, ...]
    api: str = "v2.0"


@dataclass(frozen=True)
class Segment:
    """A part of the address: a name and perhaps a key."""

    name: str
    key: str | None


@dataclass(frozen=True)
class Target:
    """What an address names.

    `records` are the rows a contained collection holds, None for a whole entity set; `record` the one row when a key (or
    a to-one navigation) ends the address; `media` the name of its property when the address is of that one's content.
    `context` is the fragment of the context address.
    """

    entity: EntitySet
    context: str
    state: CompanyState | None = None
    records: list[Record] | None = None
    record: Record | None = None
    owner: Record | None = None
    count: bool = False
    media: str = ""


def route(path: str) -> TokenRoute | ApiRoute | None:
    """The service that a raw path belongs to, None when it belongs to none."""
    if match := _TOKEN.fullmatch(path):
        return TokenRoute(unquote(match.group(1)), match.group(2) or "")
    if match := _API.fullmatch(path):
        segments = tuple(unquote(part) for part in (match["rest"] or "").split("/") if part)
        tenant = unquote(match["tenant"]) if match["tenant"] else None
        return ApiRoute(match.group(1), tenant, unquote(match["environment"]), segments, match["api"] or PAGES)
    return None


def find_company(companies: Sequence[CompanyState], name: str | None) -> CompanyState:
    """The company with this id or name; without a name, the only company there is."""
    if name is None:
        if len(companies) == 1:
            return companies[0]
        raise unknown_company()
    for state in companies:
        if state.answers_to(name.strip("'")):
            return state
    raise unknown_company()


def target(companies: Sequence[CompanyState], segments: Sequence[str], company: str | None) -> Target:
    """What the segments behind the base name, or `Refusal`."""
    parts = [_segment(text) for text in segments]
    if parts[0].name == "companies":
        entity = ALL_SETS["companies"]
        if parts[0].key is None and [part.name for part in parts[1:]] in ([], ["$count"]):
            return Target(entity, "companies", None, [state.company for state in companies], count=len(parts) == 2)
        if parts[0].key is None:
            raise unknown_segment(parts[1].name)
        state = find_company(companies, _guid(parts[0].key))
        if len(parts) == 1:
            return Target(entity, "companies", state, record=state.company)
        return _walk(state, parts[1:])
    return _walk(find_company(companies, company), parts)


def _walk(state: CompanyState, parts: list[Segment]) -> Target:
    counted = len(parts) > 1 and parts[-1].name == "$count"
    if counted:
        parts = parts[:-1]
    first = parts[0]
    entity = ALL_SETS.get(first.name)
    if entity is None or entity.source == "companies":
        raise unknown_segment(first.name)
    context = f"companies({state.id})/{entity.name}"
    found = Target(entity, context, state)
    if first.key is not None:
        record = single(_by_key(state, entity, first.key), entity, _guid(first.key))
        found = Target(entity, context, state, record=record)
    for part in parts[1:]:
        found = _step(found, part)
    if counted and found.record is not None:
        raise unknown_segment("$count")
    return Target(**{**found.__dict__, "count": counted})


def _by_key(state: CompanyState, entity: EntitySet, key: str) -> list[Record]:
    if entity is PDF_DOCUMENTS:
        owner = document_of(state, _guid(key))
        return [] if owner is None else [pdf_record(owner)]
    record = state.sets[entity.name].get(_guid(key))
    return [] if record is None else [record]


def _step(found: Target, part: Segment) -> Target:
    record, state = found.record, found.state
    if record is None or state is None or found.media:
        raise unknown_segment(part.name)
    if part.name in found.entity.streams and part.key is None:
        return replace(found, media=part.name)
    navigation = found.entity.navigation_by_name.get(part.name)
    if navigation is None:
        raise unknown_segment(part.name)
    entity = ALL_SETS[navigation.target]
    context = f"{found.context}({record.id})/{navigation.name}"
    if navigation.to_one:
        related = to_one(state, record, navigation)
        if related is None:
            raise unknown_segment(part.name)
        return Target(entity, context, state, record=related)
    records = children(state, record, Expansion(navigation, Shape(entity)))
    if part.key is None:
        return Target(entity, context, state, records, owner=record)
    return Target(entity, context, state, record=single(records, entity, _guid(part.key)), owner=record)


def _segment(text: str) -> Segment:
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise unknown_segment(text)
    return Segment(match.group(1), match.group(2))


def _guid(key: str) -> str:
    if not is_guid(key):
        raise malformed_guid()
    return key.lower()

"""What OData page services tell about themselves: the service document and the CSDL of what is published.

Source: "Using containments and associations" for the lines as a contained navigation with its constraint; the OData 4.0
standard for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tests.sandbox.business_central.entities import EDM_TYPES
from tests.sandbox.business_central.odata_pages_query import PageSet, sets_of
from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.page_services import PageService

_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"


def service_document(base: str, company: PageService, services: Iterable[PageService]) -> str:
    """The list of sets at the root: the companies, then what is published."""
    names = [page.name for service in (company, *services) for page in sets_of(service)]
    rows = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
    return json.dumps({"@odata.context": f"{base}/$metadata", "value": rows})


def csdl(company: PageService, services: Sequence[PageService]) -> str:
    """The ``$metadata`` document."""
    published = [page for service in services for page in sets_of(service)]
    root = sets_of(company)[0]
    types = "".join(_entity_type(page, published if page is root else ()) for page in (root, *published))
    container = "".join(f'<EntitySet Name="{page.name}" EntityType="NAV.{page.name}"/>' for page in (root, *published))
    return (
        f'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="{_EDMX}"><edmx:DataServices>'
        f'<Schema Namespace="NAV" xmlns="{_EDM}">{types}'
        f'<EntityContainer Name="NAV">{container}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>"
    )


def _entity_type(page: PageSet, contained: Iterable[PageSet]) -> str:
    keys = "".join(f'<PropertyRef Name="{name}"/>' for name in page.key)
    parts = [f'<EntityType Name="{page.name}"><Key>{keys}</Key>']
    parts += [_property(page, each) for each in page.fields]
    parts += [_navigation(each.name, "") for each in contained]
    if not page.of_lines and page.service.lines is not None:
        lines = page.service.lines
        own, theirs = page.key[-1], lines.key[-2]
        constraint = f'<ReferentialConstraint Property="{own}" ReferencedProperty="{theirs}"/>'
        parts.append(_navigation(page.service.lines_name, constraint))
    return "".join(parts) + "</EntityType>"


def _navigation(name: str, inner: str) -> str:
    return f'<NavigationProperty Name="{name}" Type="Collection(NAV.{name})" ContainsTarget="true">{inner}</NavigationProperty>'


def _property(page: PageSet, each: PageField) -> str:
    facets = f' MaxLength="{each.length}"' if each.length else ""
    if each.kind == "decimal":
        facets = ' Scale="Variable"'
    if each.name in page.key:
        facets = f' Nullable="false"{facets}'
    return f'<Property Name="{each.name}" Type="{EDM_TYPES[each.kind]}"{facets}/>'

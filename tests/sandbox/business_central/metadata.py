"""What the API tells about itself: the CSDL document, the service document and the captions of its entities.

Source: the OData 4.0 standard for the first two, "Tips for working with the APIs" for ``entityDefinitions``. Entity types live
in the namespace ``Microsoft.NAV``, enum types in ``NAV``; the members of an enum are named as they appear in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from tests.sandbox.business_central.encoding import encode_enum
from tests.sandbox.business_central.entities import EDM_TYPES, EntitySet, Property

_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"
ACTIONS = {
    "purchaseOrder": ("receiveAndInvoice",),
    "purchaseInvoice": ("post",),
}
_NEVER_NULL = {"guid", "decimal", "int", "long", "bool"}


@lru_cache(maxsize=8)
def csdl(sets: tuple[EntitySet, ...]) -> str:
    """The ``$metadata`` document of an API with these sets."""
    known = {entity.name: entity for entity in sets}
    types = "".join(_entity_type(entity, known) for entity in sets)
    actions = "".join(
        f'<Action Name="{action}" IsBound="true">'
        f'<Parameter Name="bindingParameter" Type="Microsoft.NAV.{entity.type_name}"/></Action>'
        for entity in sets
        for action in ACTIONS.get(entity.type_name, ())
    )
    container = "".join(_entity_set(entity, known) for entity in sets)
    enums = "".join(_enum_type(entity, prop) for entity in sets for prop in entity.properties if prop.members)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="{_EDMX}"><edmx:DataServices>'
        f'<Schema Namespace="Microsoft.NAV" xmlns="{_EDM}">{types}{actions}'
        f'<EntityContainer Name="NAV">{container}</EntityContainer></Schema>'
        f'<Schema Namespace="NAV" xmlns="{_EDM}">{enums}</Schema>'
        "</edmx:DataServices></edmx:Edmx>"
    )


def service_document(base: str, sets: Iterable[EntitySet]) -> str:
    """The list of sets at the root of an API."""
    rows = [{"name": entity.name, "kind": "EntitySet", "url": entity.name} for entity in sets]
    return json.dumps({"@odata.context": f"{base}/$metadata", "value": rows})


def entity_definitions(base: str, sets: Iterable[EntitySet]) -> str:
    """The captions of entities and properties in English."""
    rows = [
        {
            "entityName": entity.type_name,
            "entitySetName": entity.name,
            "entityCaptions": [_caption(entity.caption)],
            "entitySetCaptions": [_caption(_words(entity.name))],
            "properties": [
                {"name": prop.name, "captions": [_caption(_words(prop.name))]} for prop in entity.properties
            ],
            "actions": [
                {"name": name, "captions": [_caption(_words(name))]} for name in ACTIONS.get(entity.type_name, ())
            ],
            "enumMembers": [],
        }
        for entity in sets
    ]
    return json.dumps({"@odata.context": f"{base}/$metadata#entityDefinitions", "value": rows}, ensure_ascii=False)


def enum_name(entity: EntitySet, prop: Property) -> str:
    """The name of the enum type of a property."""
    return f"{entity.type_name}{prop.name[0].upper()}{prop.name[1:]}"


def _entity_type(entity: EntitySet, known: Mapping[str, EntitySet]) -> str:
    key = entity.properties[0].name
    parts = [f'<EntityType Name="{entity.type_name}"><Key><PropertyRef Name="{key}"/></Key>']
    parts += [_property(entity, prop, key) for prop in entity.properties]
    parts += [f'<Property Name="{name}" Type="Edm.Stream"/>' for name in entity.streams]
    if entity.source == "companies":
        parts += [
            f'<NavigationProperty Name="{each.name}" Type="Collection(Microsoft.NAV.{each.type_name})" '
            'ContainsTarget="true"/>'
            for each in known.values()
            if each is not entity
        ]
    for navigation in entity.navigations:
        if navigation.target not in known:
            continue
        kind = f"Microsoft.NAV.{known[navigation.target].type_name}"
        inner = ""
        if navigation.key:
            inner = f'<ReferentialConstraint Property="{navigation.key}" ReferencedProperty="id"/>'
        if not navigation.to_one:
            kind = f"Collection({kind})"
        contains = "" if navigation.key or navigation.foreign else ' ContainsTarget="true"'
        parts.append(
            f'<NavigationProperty Name="{navigation.name}" Type="{kind}"{contains}>{inner}</NavigationProperty>'
        )
    return "".join(parts) + "</EntityType>"


def _property(entity: EntitySet, prop: Property, key: str) -> str:
    kind = f"NAV.{enum_name(entity, prop)}" if prop.members else EDM_TYPES[prop.kind]
    facets = f' MaxLength="{prop.length}"' if prop.length else ""
    if prop.kind == "decimal":
        facets = ' Scale="Variable"'
    if prop.name == key or prop.kind in _NEVER_NULL:
        facets = f' Nullable="false"{facets}'
    if prop.writable:
        return f'<Property Name="{prop.name}" Type="{kind}"{facets}/>'
    computed = '<Annotation Term="Org.OData.Core.V1.Computed" Bool="true"/>'
    return f'<Property Name="{prop.name}" Type="{kind}"{facets}>{computed}</Property>'


def _enum_type(entity: EntitySet, prop: Property) -> str:
    members = "".join(
        f'<Member Name={quoteattr(encode_enum(word))} Value="{number}"/>' for number, word in enumerate(prop.members)
    )
    return f'<EnumType Name="{enum_name(entity, prop)}">{members}</EnumType>'


def _entity_set(entity: EntitySet, known: Mapping[str, EntitySet]) -> str:
    bindings = "".join(
        f'<NavigationPropertyBinding Path="{navigation.name}" Target="{navigation.target}"/>'
        for navigation in entity.navigations
        if navigation.target in known and (navigation.key or navigation.foreign)
    )
    return f'<EntitySet Name="{entity.name}" EntityType="Microsoft.NAV.{entity.type_name}">{bindings}</EntitySet>'


def _caption(text: str) -> dict[str, object]:
    return {"languageCode": 1033, "caption": text}


def _words(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", name)
    return words[0].upper() + words[1:]

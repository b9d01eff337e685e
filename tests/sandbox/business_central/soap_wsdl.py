"""The contract of a SOAP service as WSDL 1.1: document/literal wrapped, names as the server gives them.

Source: "Basic page operations" and recorded contracts: ``X_Service``, ``X_Port``, ``X_Binding``, types ``X``, ``X_List``,
``X_Filter`` and ``X_Fields``; every field is optional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.page_services import PageService
from tests.sandbox.business_central.soap_envelope import escaped
from tests.sandbox.business_central.soap_values import (
    element_name,
    option_name,
    read_key,
    schema_type,
    shown_fields,
)

_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
_XSD = "http://www.w3.org/2001/XMLSchema"
SYSTEM_NAMESPACE = "urn:microsoft-dynamics-schemas/nav/system/"


def page_namespace(name: str) -> str:
    """The namespace of a page service: its name in lower case."""
    return f"urn:microsoft-dynamics-schemas/page/{name.lower()}"


def codeunit_namespace(name: str) -> str:
    """The namespace of a codeunit service: its name as it is."""
    return f"urn:microsoft-dynamics-schemas/codeunit/{name}"


def page_wsdl(service: PageService, location: str, version: int) -> str:
    """The contract of a page service."""
    name = service.name
    operations = page_operations(service)
    return _definitions(name, page_namespace(name), location, operations, _page_types(service, version))


def codeunit_wsdl(name: str, functions: Mapping[str, Sequence[str]], location: str) -> str:
    """The contract of a codeunit service: the parameters of each of its functions; all are texts."""
    elements = "".join(
        _wrapper(function, [_part(parameter, "xsd:string") for parameter in parameters])
        + _wrapper(f"{function}_Result", [_part("return_value", "xsd:string")])
        for function, parameters in functions.items()
    )
    return _definitions(name, codeunit_namespace(name), location, list(functions), elements)


def system_wsdl(location: str) -> str:
    """The contract of the system service."""
    elements = _wrapper("Companies", []) + _wrapper(
        "Companies_Result", [_part("return_value", "xsd:string", at_least=0, at_most="unbounded")]
    )
    return _definitions("SystemService", SYSTEM_NAMESPACE, location, ["Companies"], elements)


def page_operations(service: PageService) -> list[str]:
    """The operations of a page service."""
    operations = ["Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey", "Create", "CreateMultiple"]
    operations += ["Update", "UpdateMultiple", "Delete"]
    return operations + ([f"Delete_{service.lines.name}"] if service.lines is not None else [])


def _page_types(service: PageService, version: int) -> str:
    name, part = service.name, service.lines
    fields = shown_fields(service)
    record = [_part("Key", "xsd:string", at_least=0), *(_field(each, version) for each in fields)]
    text = "".join(_option(each) for each in fields if each.members)
    if part is not None:
        lines = shown_fields(part)
        text += "".join(_option(each) for each in lines if each.members)
        line = [_part("Key", "xsd:string", at_least=0), *(_field(each, version) for each in lines)]
        text += _complex(part.element, line)
        text += _complex(f"{part.element}_List", [_part(part.element, f"tns:{part.element}", at_most="unbounded")])
        record.append(_part(part.name, f"tns:{part.element}_List", at_least=0))
    text += _complex(name, record)
    text += _complex(f"{name}_List", [_part(name, f"tns:{name}", at_least=0, at_most="unbounded")])
    text += _enumeration(f"{name}_Fields", [element_name(each, version) for each in fields])
    text += _complex(f"{name}_Filter", [_part("Field", f"tns:{name}_Fields"), _part("Criteria", "xsd:string")])
    return text + _page_elements(service)


def _page_elements(service: PageService) -> str:
    name = service.name
    one, many = _part(name, f"tns:{name}"), _part(f"{name}_List", f"tns:{name}_List")
    maybe, key = _part(name, f"tns:{name}", at_least=0), _part("Key", "xsd:string")
    asked = [
        _part("filter", f"tns:{name}_Filter", at_least=0, at_most="unbounded"),
        _part("bookmarkKey", "xsd:string", at_least=0),
        _part("setSize", "xsd:int"),
    ]
    found = _part("ReadMultiple_Result", f"tns:{name}_List", at_least=0)
    shapes = {
        "Read": ([_part(each.name, f"xsd:{schema_type(each)}") for each in read_key(service)], [maybe]),
        "ReadByRecId": ([_part("recId", "xsd:string")], [maybe]),
        "ReadMultiple": (asked, [found]),
        "IsUpdated": ([key], [_part("IsUpdated_Result", "xsd:boolean")]),
        "GetRecIdFromKey": ([key], [_part("GetRecIdFromKey_Result", "xsd:string")]),
        "Create": ([one], [one]),
        "CreateMultiple": ([many], [many]),
        "Update": ([one], [one]),
        "UpdateMultiple": ([many], [many]),
        "Delete": ([key], [_part("Delete_Result", "xsd:boolean")]),
    }
    if service.lines is not None:
        name = f"Delete_{service.lines.name}"
        shapes[name] = (
            [_part(f"{service.lines.name}_Key", "xsd:string")],
            [_part(f"{name}_Result", "xsd:boolean")],
        )
    return "".join(
        _wrapper(operation, asked) + _wrapper(f"{operation}_Result", told)
        for operation, (asked, told) in shapes.items()
    )


def _definitions(name: str, namespace: str, location: str, operations: Sequence[str], types: str) -> str:
    schema = (
        f'<xsd:schema elementFormDefault="qualified" targetNamespace="{namespace}" xmlns:xsd="{_XSD}" '
        f'xmlns:tns="{namespace}">{types}</xsd:schema>'
    )
    messages = "".join(
        f'<message name="{each}"><part name="parameters" element="tns:{each}"/></message>'
        for operation in operations
        for each in (operation, f"{operation}_Result")
    )
    port = "".join(
        f'<operation name="{each}"><input name="{each}" message="tns:{each}"/>'
        f'<output name="{each}_Result" message="tns:{each}_Result"/></operation>'
        for each in operations
    )
    binding = "".join(
        f'<operation name="{each}"><soap:operation soapAction="{namespace}:{each}" style="document"/>'
        f'<input name="{each}"><soap:body use="literal"/></input>'
        f'<output name="{each}_Result"><soap:body use="literal"/></output></operation>'
        for each in operations
    )
    return (
        f'<definitions targetNamespace="{namespace}" xmlns="http://schemas.xmlsoap.org/wsdl/" '
        f'xmlns:soap="{_SOAP}" xmlns:tns="{namespace}"><types>{schema}</types>{messages}'
        f'<portType name="{name}_Port">{port}</portType>'
        f'<binding name="{name}_Binding" type="tns:{name}_Port">'
        f'<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>{binding}</binding>'
        f'<service name="{name}_Service"><port name="{name}_Port" binding="tns:{name}_Binding">'
        f'<soap:address location="{escaped(location)}"/></port></service></definitions>'
    )


def _part(name: str, kind: str, *, at_least: int = 1, at_most: str = "1") -> str:
    return f'<xsd:element minOccurs="{at_least}" maxOccurs="{at_most}" name="{name}" type="{kind}"/>'


def _field(field: PageField, version: int) -> str:
    prefix = "tns" if field.members else "xsd"
    return _part(element_name(field, version), f"{prefix}:{schema_type(field)}", at_least=0)


def _wrapper(name: str, parts: Sequence[str]) -> str:
    return f'<xsd:element name="{name}">{_complex("", parts)}</xsd:element>'


def _complex(name: str, parts: Sequence[str]) -> str:
    named = f' name="{name}"' if name else ""
    return f"<xsd:complexType{named}><xsd:sequence>{''.join(parts)}</xsd:sequence></xsd:complexType>"


def _option(field: PageField) -> str:
    return _enumeration(schema_type(field), [option_name(word) for word in field.members])


def _enumeration(name: str, values: Sequence[str]) -> str:
    members = "".join(f'<xsd:enumeration value="{value}"/>' for value in values)
    return (
        f'<xsd:simpleType name="{name}"><xsd:restriction base="xsd:string">{members}</xsd:restriction></xsd:simpleType>'
    )

"""SOAP 1.1 envelopes: what comes in is read safely, what goes out is written in the service's form, faults included.

The standard library's parser expands entities, so a document type declaration is refused before the parser sees the text; only
UTF-8 is read, lest one hides in another encoding. How large a message may be is limited before it gets here. The form of
faults follows public traces: HTTP 500, the exception's class as the fault code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from tests.sandbox.business_central.errors import Refusal

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_TYPES = "Microsoft.Dynamics.Nav.Types.Exceptions."
_BROKER = "Microsoft.Dynamics.Nav.Service.WebServices.ServiceBrokerException"
_XML = {"Content-Type": "text/xml; charset=utf-8"}
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_ENCODING = re.compile(r"""<\?xml[^>]*encoding\s*=\s*["']([^"']+)["']""")
_DEEPEST = 50
# Characters that no XML 1.0 document may hold, however they are written.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CLASS_OF_CODE = {
    "Internal_EntityWithSameKeyExists": "NavCSideDuplicateKeyException",
    "Internal_RecordNotFound": "NavCSideRecordNotFoundException",
    "Internal_InvalidTableRelation": "NavCSideDataException",
    "Internal_CompanyNotFound": "NavCompanyNotFoundException",
    "Application_FieldValidationException": "NavTestFieldException",
    "Application_StringExceededLength": "NavNCLStringLengthExceededException",
    "Application_FilterErrorException": "NavFilterException",
    "Application_EvaluateException": "NavNCLEvaluateException",
    "Authorization_AccessDenied": "NavPermissionException",
    "Request_EntityChanged": "NavCSideException",
}


class SoapFault(Exception):
    """An answer other than a result; `code` is the class of the exception behind it, or a code of SOAP itself."""

    def __init__(self, code: str, text: str, *, status: int = 500) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.status = status


def nav_fault(name: str, text: str) -> SoapFault:
    """A fault of the application: one of the server's exception classes by its short name."""
    return SoapFault(f"a:{_TYPES}{name}", text)


def broker_fault(text: str) -> SoapFault:
    """A fault of the part that finds services."""
    return SoapFault(f"a:{_BROKER}", text)


def client_fault(text: str) -> SoapFault:
    """A message that is wrong in itself."""
    return SoapFault("s:Client", text)


def fault_of(refusal: Refusal) -> SoapFault:
    """The fault that a refusal of the application becomes."""
    if "permissions" in refusal.message:
        return nav_fault("NavPermissionException", refusal.message)
    return nav_fault(_CLASS_OF_CODE.get(refusal.code, "NavNCLDialogException"), refusal.message)


def read_body(content: bytes) -> ElementTree.Element:
    """The one element in the body of a message, or `SoapFault`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise client_fault("The message is not encoded in UTF-8.") from None
    declared = _ENCODING.match(text.lstrip())
    if declared is not None and declared.group(1).lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise client_fault("The message is not encoded in UTF-8.")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise client_fault("For security reasons DTD is prohibited in this XML document.")
    root = _parsed(text)
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise SoapFault("s:VersionMismatch", "The message is no SOAP 1.1 envelope.")
    body = root.find(f"{{{ENVELOPE}}}Body")
    if body is None or len(body) != 1:
        raise client_fault("The body of the message must hold one operation.")
    return body[0]


def _parsed(text: str) -> ElementTree.Element:
    depth = 0
    root: ElementTree.Element | None = None
    try:
        for event, found in _events(text):
            depth += 1 if event == "start" else -1
            if depth > _DEEPEST:
                raise client_fault("The message is nested too deeply.")
            root = found if root is None else root
    except ElementTree.ParseError as error:
        raise client_fault(f"The message is no XML: {error}.") from error
    if root is None:
        raise client_fault("The message is no XML.")
    return root


def _events(text: str) -> Iterator[tuple[str, ElementTree.Element]]:
    """Beginnings and ends of elements, in pieces, so that a text nested too deeply is left before it is a whole tree."""
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(events=("start", "end"))
    for start in range(0, len(text), 65_536):
        parser.feed(text[start : start + 65_536])
        yield from cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events())
    parser.close()
    # A parser may hold back what it has understood until it is closed.
    yield from cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events())


def split(tag: str) -> tuple[str, str]:
    """Namespace and local name of an element's tag."""
    namespace, _, name = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    return namespace, name


def element(name: str, text: str) -> str:
    """A simple element with its text."""
    return f"<{name}>{escaped(text)}</{name}>" if text else f"<{name}/>"


def escaped(text: str) -> str:
    """The text as XML content."""
    return escape(_FORBIDDEN.sub("", text))


def result(content: str) -> httpx.Response:
    """The answer to an operation."""
    text = f'<Soap:Envelope xmlns:Soap="{ENVELOPE}"><Soap:Body>{content}</Soap:Body></Soap:Envelope>'
    return document(text)


def document(text: str) -> httpx.Response:
    """An XML document as an answer."""
    return httpx.Response(200, headers=_XML, content=(_HEAD + text).encode())


def fault(problem: SoapFault, language: str = "en-US") -> httpx.Response:
    """The answer that tells of a fault."""
    message = escaped(problem.text)
    text = (
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><s:Fault>'
        f'<faultcode xmlns:a="urn:microsoft-dynamics-schemas/error">{problem.code}</faultcode>'
        f'<faultstring xml:lang="{language}">{message}</faultstring>'
        f'<detail><string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">{message}</string></detail>'
        "</s:Fault></s:Body></s:Envelope>"
    )
    return httpx.Response(problem.status, headers=_XML, content=(_HEAD + text).encode())

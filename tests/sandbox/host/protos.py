"""The message types that Microsoft's worker logic asks of its caller, as plain objects instead of protobuf.

The worker logic takes any namespace with these names; the real one comes from FunctionRpc.proto of
azure-functions-language-worker-protobuf.
"""

from __future__ import annotations

from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any, cast

from tests.sandbox.host.invocation import Data, Kind


class Message:
    """A message: its fields are the keywords it was made with, and no others, so that asking for one raises."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802, ARG002 - protobuf's name; one group per type
        """The name of the one field that is set."""
        return next(iter(self.__dict__), None)


class ParameterBinding(Message):
    """A named value; its only group holds `data`."""

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802, ARG002
        """The field of the value."""
        return "data"


class StatusResult(Message):
    """Whether a request to the worker succeeded."""

    Failure, Success, Cancelled = 0, 1, 2


class BindingInfo(Message):
    """Direction and data type of a binding (`in` is added below, being a keyword)."""

    out, inout = 1, 2
    undefined, string, binary, stream = 0, 1, 2, 3


setattr(BindingInfo, "in", 0)


class RpcHttpCookie(Message):
    """A cookie of an HTTP response."""

    SameSite = SimpleNamespace(None_=0, Lax=1, Strict=2, ExplicitNone=3)


setattr(RpcHttpCookie.SameSite, "None", 0)

_PLAIN = (
    "FunctionLoadResponse FunctionMetadataResponse InvocationResponse NullableBool NullableDouble NullableString "
    "NullableTimestamp RpcException RpcFunctionMetadata RpcHttp RpcRetryOptions Timestamp TypedData WorkerInitResponse "
    "WorkerMetadata"
)

protos = SimpleNamespace(
    ParameterBinding=ParameterBinding,
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    RpcHttpCookie=RpcHttpCookie,
    **{name: type(name, (Message,), {}) for name in _PLAIN.split()},
)


def to_typed_data(data: Data) -> Message:
    """The value as the worker logic wants it."""
    if data.kind != "http":
        return Message(**{data.kind: data.value})
    request = Message(**(data.value | {"body": Message(bytes=data.value["body"])}))
    return Message(http=request)


def from_typed_data(typed: Message | None) -> Data | None:
    """A value of the worker logic; for an HTTP response a dict of status, headers (pairs, cookies included) and body."""
    if typed is None:
        return None
    kind = typed.WhichOneof("data")
    value = getattr(typed, str(kind))
    if kind != "http":
        return Data(cast(Kind, kind), value)
    headers = [*value.headers.items(), *(("Set-Cookie", _cookie(cookie)) for cookie in value.cookies or ())]
    return Data("http", {"status": int(value.status_code), "headers": headers, "body": value.body.bytes})


def _cookie(message: Message) -> str:
    fields: dict[str, Any] = message.__dict__
    jar: SimpleCookie = SimpleCookie({fields["name"]: fields["value"]})
    morsel = jar[fields["name"]]
    for attribute in ("domain", "path", "secure"):
        if fields[attribute] is not None:
            morsel[attribute] = fields[attribute].value
    if fields["http_only"] is not None:
        morsel["httponly"] = fields["http_only"].value
    if fields["max_age"] is not None:
        morsel["max-age"] = int(fields["max_age"].value)
    if fields["same_site"]:
        morsel["samesite"] = {1: "Lax", 2: "Strict", 3: "None"}[fields["same_site"]]
    return morsel.OutputString()

"""What the service refuses and in which words. Clients are expected to read the code, never the text."""

from __future__ import annotations

NO_LINES_PARENT = "You must specify an Id or a Document Id to get the lines."
NO_DIMENSIONS_PARENT = "You must get to the parent first to get to the dimension set line."


class Refusal(Exception):
    """An answer other than success; `correlated` says whether the message ends with a correlation id."""

    def __init__(
        self, status: int, code: str, message: str, *, correlated: bool = True, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.correlated = correlated
        self.headers = headers or {}


def unknown_property(name: str, type_name: str) -> Refusal:
    """A query names a property that the entity does not have."""
    return Refusal(400, "BadRequest", f"Could not find a property named '{name}' on type 'Microsoft.NAV.{type_name}'.")


def too_long_to_find(name: str, caption: str, text: str, most: int) -> Refusal:
    """A filter compares a field with a text that it is too short to hold."""
    return Refusal(
        400,
        "Application_FilterErrorException",
        f"The filter \"='{text}'\" is not valid for the {name} field on the {caption} table. The length of the string is "
        f"{len(text)}, but it must be less than or equal to {most} characters.",
    )


def bad_syntax(what: str) -> Refusal:
    """A query option cannot be read."""
    return Refusal(400, "BadRequest_NotFound", f"Bad Request - Error in query syntax. {what}")


def unknown_segment(name: str) -> Refusal:
    """The address names something that is not there."""
    return Refusal(404, "BadRequest_ResourceNotFound", f"Resource not found for the segment '{name}'.")


def malformed_guid() -> Refusal:
    """A key in the address is no guid."""
    return Refusal(404, "BadRequest_NotFound", "Bad Request - Error in query syntax: ')' or ',' expected in (GUID).")


def unknown_company() -> Refusal:
    """No company, or one that does not exist."""
    return Refusal(
        404,
        "Internal_CompanyNotFound",
        "Can't process the request because the default company can't be found. You can specify a default company in the "
        "service configuration file, or specify one for each tenant, or add a query string in the form of "
        "company=[name]. You can see the available companies by accessing the default OData web service, Company.",
    )


def unknown_record(caption: str, key: str) -> Refusal:
    """No record has this id."""
    return Refusal(
        404,
        "Internal_RecordNotFound",
        f"The {caption} does not exist. Identification fields and values: SystemId='{{{key}}}'",
    )


def dangling_dimension() -> Refusal:
    """A dimension set of a requested record points at a value that no longer exists: the whole answer fails."""
    return Refusal(
        404,
        "Internal_RecordNotFound",
        "The Dimension Value does not exist. Identification fields and values: Dimension Code='DEPARTMENT',Code='CLOSED'",
    )


def missing_vendor(number: str) -> Refusal:
    """A listed record names a vendor that no longer exists, and the page looks for it: the whole answer fails."""
    return Refusal(
        404,
        "Internal_RecordNotFound",
        f"The Vendor does not exist. Identification fields and values: No.='{number}'",
    )


def method_not_allowed(method: str, entity: str) -> Refusal:
    """The verb is not for this entity set."""
    return Refusal(
        405,
        "BadRequest_MethodNotAllowed",
        f"'{method}' requests for '{entity}' of EdmType 'Entity' are not allowed within Microsoft Dynamics NAV OData "
        "web services.",
    )


def dialog(message: str) -> Refusal:
    """An error raised by the application's own code."""
    return Refusal(400, "Application_DialogException", message)


def invalid_credentials() -> Refusal:
    """The token is wrong, expired, or its application is not welcome."""
    return Refusal(401, "Authentication_InvalidCredentials", "The server has rejected the client credentials.")


def no_credentials() -> Refusal:
    """No token, or a header that cannot be read."""
    return Refusal(401, "Unauthorized", "The credentials provided are incorrect", correlated=False)


def entity_changed() -> Refusal:
    """The ETag is not the record's present one."""
    return Refusal(409, "Request_EntityChanged", "Another user has already changed the record.")


def no_concurrency_token() -> Refusal:
    """A change without a usable If-Match header."""
    return Refusal(
        400,
        "BadRequest_InvalidToken",
        "Could not validate the client concurrency token required by the service. Please provide a valid token in the "
        "client request.",
    )

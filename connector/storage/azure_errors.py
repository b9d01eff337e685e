"""What an error of Azure's storage SDKs means for the caller, as one of the connector's own errors.

Told apart by status and error code ("Status and error codes", Azure Storage REST API), never by the SDK's exception
type, which differs between calls. The SDK's error is left out of message and traceback: it quotes the service's
answer, which for a refused request holds its signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from connector.errors import ConnectorError, Refused, SettingsFault, StorageUnavailable

MISSING_ROW = frozenset({"ResourceNotFound", "EntityNotFound"})
MISSING_CONTAINER = frozenset({"TableNotFound", "QueueNotFound"})
_AUTHENTICATION = frozenset({"InvalidAuthenticationInfo", "NoAuthenticationInformation", "AuthenticationFailed"})
# The request itself is wrong and stays wrong: a limit was passed or a name is not allowed.
_REFUSING = frozenset({400, 413, 414})
_CODE = re.compile(r"""(?:"code":\s*"|<Code>)(?P<code>\w+)""")


@contextmanager
def typed_errors(target: str) -> Iterator[None]:
    """Turns whatever an SDK call raises in this block into `Refused`, `SettingsFault`, `StorageUnavailable`, or
    `ValueError` for a request that passes one of storage's limits. `target` names what was asked, for the message."""
    try:
        yield
    except ConnectorError:
        raise
    except (AzureError, HTTPException, OSError) as error:
        raise meaning(error, target) from None
    except Exception as error:  # what a broken answer (a proxy's page, a cut body) provokes inside the SDK
        raise StorageUnavailable(f"{target}: the answer is not storage's ({type(error).__name__})") from error


def meaning(error: Exception, target: str) -> Exception:
    """The connector's error for one the SDK raised."""
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        if isinstance(error, ClientAuthenticationError):
            return _refused(target, "no token for the app's identity")
        return StorageUnavailable(f"{target}: no answer ({type(error).__name__})")
    status, code = error.status_code, code_of(error)
    said = f"status {status}" + (f", {code}" if code else "")
    if status in (401, 403) or code in _AUTHENTICATION:
        return _refused(target, said)
    if code in MISSING_CONTAINER:
        return SettingsFault(
            f"{target} does not exist in this storage account ({said}): the connector creates it at its start, "
            "so check that ConnectorStorage names the account of this app, then restart the app"
        )
    if status in _REFUSING:
        return ValueError(f"{target}: storage does not accept this request ({said})")
    return StorageUnavailable(f"{target}: {said}")


def code_of(error: HttpResponseError) -> str:
    """The service's error code; empty when the answer had none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code)) if code else code_in(error.response)


def code_in(answer: Any) -> str:
    """The error code an answer of Azure Storage carries, in a header or its body; empty when there is none."""
    if answer is None:
        return ""
    if named := answer.headers.get("x-ms-error-code"):
        return str(named)
    found = _CODE.search(answer.text())
    return found.group("code") if found else ""


def _refused(target: str, said: str) -> Refused:
    return Refused(
        "storage",
        f"{target}: access refused ({said}). Give the app's identity the roles Storage Table Data Contributor and "
        "Storage Queue Data Contributor on the account, or correct the key in ConnectorStorage; "
        "also check the account's firewall and, for keys, that shared key access is allowed",
    )

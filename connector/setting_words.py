"""The words of settings: addresses, secrets and names with their rules, companies, and what the AP Invoice API leaves open."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from connector.model.money import MINOR_UNITS

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[::1\])"
_URL = re.compile(
    rf"(?P<scheme>https?)://{_HOST}(?::(?P<port>\d{{1,5}}))?(?:/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?", re.ASCII
)


def safe_url(text: str) -> str:
    """A plain address without secrets in it, by TLS unless it is on this machine; without a slash at its end."""
    # The messages never repeat the address: somebody may have written a password into it.
    match = _URL.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        raise ValueError("must be a plain address: https://HOST/PATH without user, query, fragment or blanks")
    if match["scheme"] == "http" and match["host"] not in LOOPBACK:
        raise ValueError("must start with https:// (http:// only for this machine)")
    return text.rstrip("/")


def webhook_address(url: str | None) -> str | None:
    """The address of the webhook function."""
    if url is not None and not url.endswith("/bc"):
        raise ValueError("must end with /bc, the webhook function's route: https://APP.azurewebsites.net/api/bc")
    return url


def strong_key(secret: SecretStr) -> SecretStr:
    """A key of enough random bytes."""
    try:
        text = secret.get_secret_value()
        key = base64.b64decode(text, validate=True)
        if len(key) >= 32 and base64.b64encode(key).decode() == text:
            return secret
    except (ValueError, binascii.Error):
        pass
    raise ValueError("must be at least 32 random bytes in base64")


Url = Annotated[str, AfterValidator(safe_url)]
Guid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
QueueName = Annotated[str, Field(pattern=r"^[a-z0-9](?:-?[a-z0-9])+$", min_length=3, max_length=56)]
"""At most 63 characters with the poison queue's ending."""


def _currency(code: str) -> str:
    if code not in MINOR_UNITS:
        raise ValueError("must be an ISO 4217 code such as USD")
    return code


def _resolved(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value().startswith("@Microsoft.KeyVault("):
        raise ValueError(
            "is a Key Vault reference that was not resolved; check the app's identity and its role on the vault"
        )
    return secret


Secret = Annotated[SecretStr, AfterValidator(_resolved)]


class Company(BaseModel):
    """One BC company and what ServiceNow calls it. `name`: BC's own, for links into its web client only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    id: Guid
    erp_source: str = Field(min_length=1, max_length=40, pattern=r"^[^\^\r\n\t]+$")
    legal_entity: str = Field(min_length=1, max_length=100)
    local_currency: Annotated[str, AfterValidator(_currency)]
    invoice_source: str = Field(min_length=1, max_length=100)
    cost_centre_dimension: str = Field(min_length=1, max_length=20)
    name: str = Field(default="", max_length=100)


def distinct(companies: tuple[Company, ...]) -> tuple[Company, ...]:
    """Companies that nobody takes for one another."""
    for field in ("key", "id", "erp_source"):
        values = [getattr(company, field) for company in companies]
        if len(set(values)) < len(values):
            raise ValueError(f"two companies have the same {field}")
    return companies


def long_enough(days: int) -> int:
    """A time of keeping that is not chosen by mistake."""
    if 0 < days < 90:
        raise ValueError("must be 0 (everything is kept) or at least 90")
    return days


ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ApInvoiceForm(BaseModel):
    """What the reference page of ServiceNow's AP Invoice API leaves open: how a negative amount is written, and the columns and
    words of the API's log and of the invoices it makes. The defaults are the pattern of the published names; compare them
    with sys_dictionary and sys_choice on the instance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    negative: Literal["minus", "brackets"] = "minus"
    log_batch: ColumnName = "batch_id"
    log_source: ColumnName = "source_system"
    log_number: ColumnName = "external_invoice_number"
    log_status: ColumnName = "status"
    log_message: ColumnName = "message"
    log_invoice: ColumnName = "invoice"
    done: tuple[str, ...] = ("processed",)
    failed: tuple[str, ...] = ("error", "processed_with_errors")
    invoice_number: ColumnName = "external_invoice_number"
    invoice_source: ColumnName = "external_invoice_source"
    invoice_order: ColumnName = "purchase_order"
    line_invoice: ColumnName = "invoice"
    line_number: ColumnName = "erp_line_number"

"""Settings: the only reader of the environment. Typed, complete, every fault reported at once, no secret echoed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, SecretStr, ValidationError

from connector.errors import SettingsFault
from connector.model.feeds import Feed
from connector.setting_words import (
    ApInvoiceForm,
    Company,
    QueueName,
    Secret,
    Url,
    distinct,
    long_enough,
    strong_key,
    webhook_address,
)

SHORTEST_CLAIM = 300
"""Seconds; less only against simulators on this machine, in tests."""
POLL_SECONDS = {Feed.ORDERS: 15, Feed.INVOICES: 15, Feed.RECEIPTS: 60, Feed.CREDIT_MEMOS: 60, Feed.VENDORS: 300}


def _intervals(given: dict[str, int]) -> dict[str, int]:
    for name, seconds in given.items():
        if name.rpartition("/")[2] not in list(Feed):
            raise ValueError(f"knows {', '.join(Feed)}, alone or after a company's key and a slash, but not {name!r}")
        if not 0 <= seconds <= 86400:
            raise ValueError(f"{name} must be between 0 (at every tick of the timer) and 86400 seconds")
    return given


class Settings(BaseModel):
    """Every setting. A field's name in capitals is its name in the environment (the application settings)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # Business Central
    bc_url: Url = Field(description="up to and with the environment: https://api.businesscentral.dynamics.com/v2.0/...")
    bc_token_url: Url
    bc_client_id: str = Field(min_length=1)
    bc_client_secret: Secret = Field(min_length=1)
    bc_client_secret_next: Secret | None = None
    bc_scope: str = "https://api.businesscentral.dynamics.com/.default"
    bc_web_client: Url | None = None
    bc_page_size: int = Field(default=1000, ge=1, le=20000)
    bc_max_url: int = Field(default=12000, ge=1000, le=16000)
    bc_extension: str = Field(default="erpbridge/sourceToPay/v1.0", pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/v[0-9.]+$")
    bc_dimension_values_service: str = Field(default="DimensionValues", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")

    # ServiceNow
    sn_url: Url
    sn_auth: Literal["oauth", "basic", "apikey"] = "oauth"
    sn_client_id: str = ""
    sn_client_secret: Secret | None = None
    sn_client_secret_next: Secret | None = None
    sn_username: str = ""
    sn_password: Secret | None = None
    sn_api_key: Secret | None = None
    sn_api_key_next: Secret | None = None
    sn_slots: int = Field(default=3, ge=1, le=16)
    sn_batch_rows: int = Field(default=120, ge=1, le=500)
    sn_source_system: Annotated[str, Field(max_length=100, pattern=r"^[\x20-\x7e]*$")] = ""
    sn_ap_invoice: Json[ApInvoiceForm] = ApInvoiceForm()

    # What goes where
    companies: Json[Annotated[tuple[Company, ...], Field(min_length=1), AfterValidator(distinct)]]
    profile: str = "source_to_pay"
    sn_metadata: str = ""
    translations: str = ""
    checks: str = ""
    alignment: str = ""
    reference_minutes: int = Field(default=60, ge=1, le=1440)

    # Webhooks of Business Central; off without an address
    webhook_url: Annotated[Url | None, AfterValidator(webhook_address)] = None
    webhook_key: Annotated[SecretStr, AfterValidator(strong_key)] | None = None
    webhook_key_previous: Annotated[SecretStr, AfterValidator(strong_key)] | None = None

    # Storage, as an Azure Functions connection of the name ConnectorStorage
    connectorstorage: Secret | None = None
    connectorstorage__accountname: str = ""
    connectorstorage__queueserviceuri: Url | None = None
    connectorstorage__tableserviceuri: Url | None = None
    connectorstorage__clientid: str = ""
    documents_queue: QueueName = "documents"
    digest_queue: QueueName = ""

    # Keeping
    ledger_key: Annotated[SecretStr, AfterValidator(strong_key)]
    poll_seconds: Json[Annotated[dict[str, int], AfterValidator(_intervals)]] = {}
    sweep_fingerprint: Literal["auto", "off"] = "auto"
    sweep_full_hours: int = Field(default=6, ge=0, le=720)
    poll_overlap_seconds: int = Field(default=300, ge=1, le=86400)
    claim_seconds: int = Field(default=540, ge=2, le=3600)
    rescue_after_seconds: int = Field(default=900, ge=1, le=86400)
    max_waiting_units: int = Field(default=20, ge=1)
    retention_days: Annotated[int, AfterValidator(long_enough)] = Field(default=0, ge=0)

    @property
    def ledger_key_bytes(self) -> bytes:
        """The key of the ledger's event chain."""
        return base64.b64decode(self.ledger_key.get_secret_value())

    @property
    def poison_queue(self) -> str:
        """Where the Functions host and we put what cannot be done."""
        return f"{self.documents_queue}-poison"

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that must be there."""
        return tuple(filter(None, (self.documents_queue, self.poison_queue, self.digest_queue)))

    @property
    def poll_overlap(self) -> timedelta:
        """How far behind the watermark each poll reads again."""
        return timedelta(seconds=self.poll_overlap_seconds)

    @property
    def sweep_full_after(self) -> timedelta:
        """How long the fingerprint may spare documents before a sweep reads all of them again."""
        return timedelta(hours=self.sweep_full_hours)

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys that notifications may be signed with, the present one first; none while webhooks are off."""
        if self.webhook_url is None:
            return ()
        keys = (self.webhook_key, self.webhook_key_previous)
        return tuple(base64.b64decode(key.get_secret_value()) for key in keys if key is not None)

    def interval(self, company: Company, feed: Feed) -> timedelta:
        """How often a feed of a company is polled."""
        given = self.poll_seconds
        return timedelta(seconds=given.get(f"{company.key}/{feed}", given.get(feed, POLL_SECONDS[feed])))

    def company(self, key: str) -> Company | None:
        """The company of that key."""
        return next((company for company in self.companies if company.key == key), None)


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in the given environment. Raises `SettingsFault` that lists every fault and shows no value."""
    given = {name.lower(): value for name, value in environment.items() if value != ""}
    faults = _together(given)
    try:
        settings = Settings.model_validate({name: given[name] for name in Settings.model_fields if name in given})
    except ValidationError as error:
        faults = [_fault_text(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)] + faults
    if faults:
        raise SettingsFault("these settings are not right:\n" + "\n".join(f"  - {line}" for line in faults))
    return settings


def _together(given: Mapping[str, str]) -> list[str]:
    """What is missing because of what else is given."""
    faults = []
    needed = {
        "oauth": ("SN_CLIENT_ID", "SN_CLIENT_SECRET"),
        "basic": ("SN_USERNAME", "SN_PASSWORD"),
        "apikey": ("SN_API_KEY",),
    }
    way = given.get("sn_auth", "oauth")
    missing = [name for name in needed.get(way, ()) if name.lower() not in given]
    if missing:
        faults.append(f"{' and '.join(missing)}: needed when SN_AUTH is {way}")
    addresses = ("connectorstorage__queueserviceuri", "connectorstorage__tableserviceuri")
    by_identity = "connectorstorage__accountname" in given or all(name in given for name in addresses)
    if "connectorstorage" not in given and not by_identity:
        faults.append(
            "ConnectorStorage: give a connection string, or ConnectorStorage__accountName for a managed identity"
        )
    if given.get("digest_queue") in [given.get("documents_queue", "documents") + end for end in ("", "-poison")]:
        faults.append("DIGEST_QUEUE: must be a queue of its own, not where documents or parked ones wait")
    if "webhook_url" in given and "webhook_key" not in given:
        faults.append("WEBHOOK_KEY: needed when WEBHOOK_URL is given")
    claim, rescue = given.get("claim_seconds", "540"), given.get("rescue_after_seconds", "900")
    simulated = given.get("sn_url", "").startswith("http://")
    if claim.isdecimal() and int(claim) < SHORTEST_CLAIM and not simulated:
        faults.append(f"CLAIM_SECONDS: at least {SHORTEST_CLAIM}, or a request could outlive its claim")
    if claim.isdecimal() and rescue.isdecimal() and int(rescue) < int(claim):
        faults.append("RESCUE_AFTER_SECONDS: must not be less than CLAIM_SECONDS, or work in progress would be rescued")
    return faults


def _fault_text(where: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    name, *inner = where
    place = ".".join(str(part) for part in inner)
    return f"{str(name).upper()}{f' ({place})' if place else ''}: {message}"

"""Settings: every fault at once and by name, no secret in any message, and a sample that is complete."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connector.errors import SettingsFault
from connector.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
CANARY = "c4n4ry-5ecret"
KEY = base64.b64encode(bytes(range(32))).decode()

COMPANY: Mapping[str, str] = {
    "key": "us",
    "id": "22222222-2222-2222-2222-222222222222",
    "erp_source": "BC-US",
    "legal_entity": "US01",
    "local_currency": "USD",
    "invoice_source": "Business Central US",
    "cost_centre_dimension": "DEPARTMENT",
}
OTHER: Mapping[str, str] = dict(COMPANY) | {
    "key": "de",
    "id": "33333333-3333-3333-3333-333333333333",
    "erp_source": "BC-DE",
}

SOUND: Mapping[str, str] = {
    "BC_URL": "https://api.businesscentral.dynamics.com/v2.0/tenant/Production",
    "BC_TOKEN_URL": "https://login.microsoftonline.com/tenant/oauth2/v2.0/token",
    "BC_CLIENT_ID": "11111111-1111-1111-1111-111111111111",
    "BC_CLIENT_SECRET": "a secret",
    "SN_URL": "https://example.service-now.com",
    "SN_CLIENT_ID": "client",
    "SN_CLIENT_SECRET": "another secret",
    "COMPANIES": json.dumps([COMPANY]),
    "ConnectorStorage": "UseDevelopmentStorage=true",
    "LEDGER_KEY": KEY,
}
SECRETS = (
    "BC_CLIENT_SECRET",
    "BC_CLIENT_SECRET_NEXT",
    "SN_CLIENT_SECRET",
    "SN_CLIENT_SECRET_NEXT",
    "SN_PASSWORD",
    "SN_API_KEY",
    "SN_API_KEY_NEXT",
    "CONNECTORSTORAGE",
    "LEDGER_KEY",
    "WEBHOOK_KEY",
    "WEBHOOK_KEY_PREVIOUS",
)


def environment(**changes: str | None) -> dict[str, str]:
    """A sound environment with these settings changed; None takes one away."""
    return {name: value for name, value in (dict(SOUND) | changes).items() if value is not None}


def companies(*rows: Mapping[str, Any]) -> str:
    """The COMPANIES setting."""
    return json.dumps(rows)


def fault(**changes: str | None) -> str:
    """What `load_settings` says about the environment with these changes."""
    with pytest.raises(SettingsFault) as caught:
        load_settings(environment(**changes))
    return str(caught.value)


def test_a_sound_environment_loads() -> None:
    settings = load_settings(environment())
    assert settings.bc_page_size == 1000
    assert settings.sn_auth == "oauth"
    assert settings.poll_overlap == timedelta(minutes=5)
    assert settings.ledger_key_bytes == bytes(range(32))
    assert (settings.documents_queue, settings.poison_queue) == ("documents", "documents-poison")
    assert [company.key for company in settings.companies] == ["us"]


def test_names_are_found_whatever_their_case() -> None:
    assert load_settings({name.swapcase(): value for name, value in SOUND.items()}) == load_settings(environment())


def test_an_empty_setting_counts_as_not_given() -> None:
    assert load_settings(environment(BC_CLIENT_SECRET_NEXT="", BC_PAGE_SIZE="", PROFILE="")) == load_settings(
        environment()
    )


def test_settings_of_others_are_ignored() -> None:
    assert load_settings(environment(PATH="/bin", FUNCTIONS_WORKER_RUNTIME="python")) == load_settings(environment())


def test_a_trailing_slash_of_an_address_is_dropped() -> None:
    assert load_settings(environment(SN_URL="https://example.service-now.com/")).sn_url == (
        "https://example.service-now.com"
    )


def test_a_company_is_found_by_its_key() -> None:
    settings = load_settings(environment(COMPANIES=companies(COMPANY, OTHER)))
    found = settings.company("de")
    assert found is not None
    assert found.erp_source == "BC-DE"
    assert settings.company("fr") is None


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"SN_CLIENT_ID", "SN_CLIENT_SECRET", "ConnectorStorage"}))
def test_a_missing_setting_is_named(name: str) -> None:
    assert name in fault(**{name: None})


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsFault) as caught:
        load_settings({})
    for name in ("BC_URL", "BC_TOKEN_URL", "BC_CLIENT_ID", "BC_CLIENT_SECRET", "SN_URL", "COMPANIES", "LEDGER_KEY"):
        assert name in str(caught.value)


def test_faults_of_every_kind_are_reported_at_once() -> None:
    message = fault(
        BC_URL=None,
        BC_PAGE_SIZE="many",
        SN_CLIENT_SECRET=None,
        ConnectorStorage=None,
        COMPANIES=companies(COMPANY, COMPANY),
        LEDGER_KEY="short",
    )
    for named in ("BC_URL", "BC_PAGE_SIZE", "SN_CLIENT_SECRET", "ConnectorStorage", "COMPANIES", "LEDGER_KEY"):
        assert named in message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SN_CLIENT_ID": None}, ["SN_CLIENT_ID", "SN_AUTH"]),
        ({"SN_CLIENT_SECRET": None}, ["SN_CLIENT_SECRET", "SN_AUTH"]),
        ({"SN_AUTH": "basic"}, ["SN_USERNAME", "SN_PASSWORD"]),
        ({"SN_AUTH": "basic", "SN_USERNAME": "u"}, ["SN_PASSWORD"]),
        ({"SN_AUTH": "kerberos"}, ["SN_AUTH"]),
        ({"SN_AUTH": "apikey"}, ["SN_API_KEY", "SN_AUTH"]),
        ({"SN_AUTH": "apikey", "SN_API_KEY_NEXT": "k"}, ["SN_API_KEY", "SN_AUTH"]),
        ({"SN_SOURCE_SYSTEM": "M\u00fcller"}, ["SN_SOURCE_SYSTEM"]),
        ({"SN_AP_INVOICE": "brackets"}, ["SN_AP_INVOICE"]),
        ({"SN_AP_INVOICE": '{"negative": "red"}'}, ["SN_AP_INVOICE (negative)"]),
        ({"SN_AP_INVOICE": '{"log_status": "a^b"}'}, ["SN_AP_INVOICE (log_status)"]),
        ({"SN_AP_INVOICE": '{"colour": "red"}'}, ["SN_AP_INVOICE (colour)"]),
        ({"ConnectorStorage": None}, ["ConnectorStorage", "ConnectorStorage__accountName"]),
        (
            {"ConnectorStorage": None, "ConnectorStorage__queueServiceUri": "https://a.queue.core.windows.net"},
            ["ConnectorStorage"],
        ),
        ({"BC_PAGE_SIZE": "0"}, ["BC_PAGE_SIZE"]),
        ({"BC_EXTENSION": "v2.0"}, ["BC_EXTENSION"]),
        ({"BC_EXTENSION": "contoso/../v1.0"}, ["BC_EXTENSION"]),
        ({"BC_DIMENSION_VALUES_SERVICE": "Dimension Values/.."}, ["BC_DIMENSION_VALUES_SERVICE"]),
        ({"BC_PAGE_SIZE": "20001"}, ["BC_PAGE_SIZE"]),
        ({"BC_PAGE_SIZE": "1e3"}, ["BC_PAGE_SIZE"]),
        ({"SN_SLOTS": "0"}, ["SN_SLOTS"]),
        ({"SN_BATCH_ROWS": "501"}, ["SN_BATCH_ROWS"]),
        ({"POLL_OVERLAP_SECONDS": "0"}, ["POLL_OVERLAP_SECONDS"]),
        ({"MAX_WAITING_UNITS": "-1"}, ["MAX_WAITING_UNITS"]),
        ({"DOCUMENTS_QUEUE": "Documents"}, ["DOCUMENTS_QUEUE"]),
        ({"DOCUMENTS_QUEUE": "do"}, ["DOCUMENTS_QUEUE"]),
        ({"DOCUMENTS_QUEUE": "a--b"}, ["DOCUMENTS_QUEUE"]),
        ({"DOCUMENTS_QUEUE": "d" * 57}, ["DOCUMENTS_QUEUE"]),
        ({"DOCUMENTS_QUEUE": "a-" * 40 + "a"}, ["DOCUMENTS_QUEUE"]),
        ({"COMPANIES": "not json"}, ["COMPANIES"]),
        ({"COMPANIES": "[]"}, ["COMPANIES"]),
        ({"COMPANIES": "{}"}, ["COMPANIES"]),
        ({"COMPANIES": companies(dict(COMPANY) | {"key": "US"})}, ["COMPANIES (0.key)"]),
        ({"COMPANIES": companies(dict(COMPANY) | {"id": "us"})}, ["COMPANIES (0.id)"]),
        ({"COMPANIES": companies(dict(COMPANY) | {"local_currency": "usd"})}, ["COMPANIES (0.local_currency)"]),
        ({"COMPANIES": companies(dict(COMPANY) | {"erp_source": ""})}, ["COMPANIES (0.erp_source)"]),
        ({"COMPANIES": companies(dict(COMPANY) | {"colour": "red"})}, ["COMPANIES (0.colour)"]),
        ({"COMPANIES": companies(COMPANY, dict(OTHER) | {"key": "us"})}, ["COMPANIES", "key"]),
        ({"COMPANIES": companies(COMPANY, dict(OTHER) | {"id": COMPANY["id"]})}, ["COMPANIES", "id"]),
        ({"COMPANIES": companies(COMPANY, dict(OTHER) | {"erp_source": "BC-US"})}, ["COMPANIES", "erp_source"]),
        # A rescue must never take a document from a worker whose claim still stands.
        ({"RESCUE_AFTER_SECONDS": "539"}, ["RESCUE_AFTER_SECONDS", "CLAIM_SECONDS"]),
        ({"RESCUE_AFTER_SECONDS": "0"}, ["RESCUE_AFTER_SECONDS"]),
        ({"LEDGER_KEY": "not base64!"}, ["LEDGER_KEY"]),
        ({"LEDGER_KEY": "QUJD\u00c4"}, ["LEDGER_KEY"]),
        ({"LEDGER_KEY": base64.b64encode(bytes(31)).decode()}, ["LEDGER_KEY"]),
        ({"LEDGER_KEY": KEY + "="}, ["LEDGER_KEY"]),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, str | None], named: list[str]) -> None:
    message = fault(**changes)
    for name in named:
        assert name in message


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "http://192.168.1.5",
        "ftp://example.com",
        "example.com",
        "//example.com",
        "https://",
        "https:///path",
        "https://[",
        "https://user@example.com",
        "https://user:word@example.com",
        "https://:word@example.com",
        "https://example.com?sig=1",
        "https://example.com/#part",
        "https://example.com:port",
        "https://example.com:99999",
        "https://example.com\n",
        " https://example.com",
        "https://exam\tple.com",
        "https://example.com/a b",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    assert "BC_URL" in fault(BC_URL=url)


@pytest.mark.parametrize(
    "name",
    [
        "BC_URL",
        "BC_TOKEN_URL",
        "SN_URL",
        "ConnectorStorage__queueServiceUri",
        "ConnectorStorage__tableServiceUri",
    ],
)
def test_the_rule_holds_for_every_address(name: str) -> None:
    assert name.upper() in fault(**{name: "http://example.com"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:7048/BC", "http://localhost:8080", "http://[::1]:8080/x"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    assert load_settings(environment(BC_URL=url)).bc_url == url


@pytest.mark.parametrize(
    "changes",
    [
        {"SN_AUTH": "basic", "SN_USERNAME": "u", "SN_PASSWORD": "p", "SN_CLIENT_ID": None, "SN_CLIENT_SECRET": None},
        {"SN_AUTH": "apikey", "SN_API_KEY": "k", "SN_CLIENT_ID": None, "SN_CLIENT_SECRET": None},
        {"SN_SOURCE_SYSTEM": "BC-CRONUS", "SN_AP_INVOICE": '{"negative": "brackets", "done": ["done"]}'},
        {"ConnectorStorage": None, "ConnectorStorage__accountName": "account"},
        {
            "ConnectorStorage": None,
            "ConnectorStorage__queueServiceUri": "https://a.queue.core.windows.net",
            "ConnectorStorage__tableServiceUri": "https://a.table.core.windows.net",
        },
        {"DOCUMENTS_QUEUE": "d" * 56},
        {"DOCUMENTS_QUEUE": "a-1-b"},
    ],
)
def test_the_other_ways_to_set_it_up_load_too(changes: dict[str, str | None]) -> None:
    assert load_settings(environment(**changes)).companies


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [CANARY, f"{CANARY}\u00e4", f" {CANARY}\n", f'{{"{CANARY}": 1}}'])
def test_no_secret_shows_in_a_fault(name: str, value: str) -> None:
    given = {other: text for other, text in SOUND.items() if other.upper() != name}
    # Everything else is wrong as well, so that every kind of message is made.
    given |= {"BC_URL": "nowhere", "BC_PAGE_SIZE": "x", "COMPANIES": "[{}]", "SN_AUTH": "x", name: value}
    with pytest.raises(SettingsFault) as caught:
        load_settings(given)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize("name", ["LEDGER_KEY", "SN_PASSWORD", "SN_CLIENT_SECRET"])
def test_no_secret_shows_in_a_fault_of_the_whole(name: str) -> None:
    message = fault(**{"SN_CLIENT_ID": None, "ConnectorStorage": None, "LEDGER_KEY": "short", name: CANARY})
    assert CANARY not in message


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{CANARY}@example.com",
        f"https://{CANARY}@example.com",
        f"https://user:{CANARY}@ex\u2100mple.com",
        f"https://example.com?sig={CANARY}",
        f"https://user:{CANARY}@[",
        f"https://{CANARY}:port@example.com:port",
    ],
)
def test_no_part_of_an_address_shows_in_a_fault(url: str) -> None:
    assert CANARY not in fault(BC_URL=url)


@pytest.mark.parametrize(
    "text",
    [
        f'[{{"key": "{CANARY}!"}}]',
        f'"{CANARY}"',
        f"[{CANARY}",
        companies(dict(COMPANY) | {"local_currency": CANARY, "id": CANARY}),
    ],
)
def test_no_value_inside_companies_shows_in_a_fault(text: str) -> None:
    assert CANARY not in fault(COMPANIES=text)


def test_no_secret_shows_when_settings_are_printed() -> None:
    changes = {name: CANARY for name in SECRETS if not name.endswith(("_KEY", "_KEY_PREVIOUS", "STORAGE"))}
    settings = load_settings(environment(**changes, ConnectorStorage=CANARY))
    for text in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert CANARY not in text
        assert KEY not in text


def test_every_secret_is_kept_as_one() -> None:
    secret = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret == set(SECRETS)


@pytest.mark.parametrize(
    ("documents", "digests"), [(None, "documents"), (None, "documents-poison"), ("x-poison", "x-poison")]
)
def test_digests_need_a_queue_of_their_own(documents: str | None, digests: str) -> None:
    assert "DIGEST_QUEUE: must be a queue of its own" in fault(DOCUMENTS_QUEUE=documents, DIGEST_QUEUE=digests)


def test_every_queue_that_is_named_is_needed_and_no_other() -> None:
    assert load_settings(environment()).queues == ("documents", "documents-poison")
    assert load_settings(environment(DIGEST_QUEUE="digests")).queues == ("documents", "documents-poison", "digests")


def test_settings_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(ValidationError):
        load_settings(environment()).profile = "other"


def sample() -> dict[str, str]:
    """The values of the sample file."""
    values: dict[str, str] = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))["Values"]
    return values


def test_the_sample_loads() -> None:
    assert load_settings(sample()).companies[0].key == "us"


def test_the_sample_holds_no_real_secret() -> None:
    settings = load_settings(sample())
    assert settings.ledger_key_bytes == bytes(32)
    assert "Key Vault reference" in settings.bc_client_secret.get_secret_value()


def test_the_sample_names_every_setting_that_exists() -> None:
    hosts = {
        "DAILY_SCHEDULE",
        "POLL_SCHEDULE",
        "RENEW_SCHEDULE",
        "ALIGN_SCHEDULE",
        "RESCUE_SCHEDULE",
        "SWEEP_SCHEDULE",
        "TRACK_SCHEDULE",
        "AZUREWEBJOBSSTORAGE",
        "FUNCTIONS_WORKER_RUNTIME",
        "PYTHON_THREADPOOL_THREAD_COUNT",
    }
    ours = {name.upper() for name in Settings.model_fields}
    assert "DOCUMENTS_QUEUE" in ours
    assert {name.upper() for name in sample()} == ours | hosts


def test_the_sample_gives_enough_threads_for_the_messages_at_once() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]["queues"]
    assert int(sample()["PYTHON_THREADPOOL_THREAD_COUNT"]) >= host["batchSize"] + host["newBatchThreshold"]

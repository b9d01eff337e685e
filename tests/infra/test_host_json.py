"""host.json: valid by a schema that knows no misspelt key, and the values the design relies on."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.sandbox.host.configuration import HostOptions, QueueOptions, read_host_json

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "host.schema.json").read_text("utf-8"))
REMOVED = object()

BROKEN: list[tuple[str, str, object]] = [
    ("a misspelt top key", "functionTimeOut", "00:05:00"),
    ("no version", "version", REMOVED),
    ("the version of host 1", "version", "1.0"),
    ("a timeout in seconds", "functionTimeout", 600),
    ("a timeout without seconds", "functionTimeout", "00:10"),
    ("an hour of 24", "functionTimeout", "24:00:00"),
    ("a misspelt extension", "extensions/queue", {"batchSize": 8}),
    ("queue options outside extensions", "queues", {"batchSize": 8}),
    ("a misspelt queue option", "extensions/queues/maxDequeuecount", 5),
    ("a batch above 32", "extensions/queues/batchSize", 33),
    ("a number in quotes", "extensions/queues/batchSize", "8"),
    ("no attempt at all", "extensions/queues/maxDequeueCount", 0),
    ("a negative threshold", "extensions/queues/newBatchThreshold", -1),
    ("an unknown encoding", "extensions/queues/messageEncoding", "utf-8"),
    ("a delay in words", "extensions/queues/visibilityTimeout", "30 seconds"),
    ("a misspelt http option", "extensions/http/prefix", "api"),
    ("a bundle without a range", "extensionBundle/version", "4"),
    ("a bundle of another maker", "extensionBundle/id", "Contoso.ExtensionBundle"),
    ("a bundle without a version", "extensionBundle/version", REMOVED),
    ("a level that is none", "logging/logLevel/default", "Info"),
    ("a misspelt category", "logging/logLevel/Functions", "Information"),
    ("a misspelt sampling option", "logging/applicationInsights/samplingSettings/excludedType", "Request"),
    ("types separated by commas", "logging/applicationInsights/samplingSettings/excludedTypes", "Request,Exception"),
    ("an unknown telemetry mode", "telemetryMode", "openTelemetry2"),
]

ALLOWED: list[tuple[str, object]] = [
    ("telemetryMode", "OpenTelemetry"),
    ("functionTimeout", "-1"),
    ("functionTimeout", "1.00:00:00"),
    ("extensions/queues/maxPollingInterval", "00:00:00.100"),
    ("extensions/serviceBus", {"prefetchCount": 1}),
    ("concurrency", {"dynamicConcurrencyEnabled": True, "snapshotPersistenceEnabled": True}),
    ("logging/logLevel/Function.deliver.User", "Debug"),
    ("logging/applicationInsights/enableLiveMetrics", False),
    ("singleton", {"listenerLockPeriod": "00:01:00"}),
    ("healthMonitor", {"enabled": True, "healthCheckInterval": "00:00:10", "counterThreshold": 0.8}),
]


def current() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "host.json").read_text("utf-8"))
    return content


def changed(path: str, value: object) -> dict[str, Any]:
    content = copy.deepcopy(current())
    *parents, last = path.split("/")
    place = content
    for parent in parents:
        place = place[parent]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return content


def complaints(content: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(content)]


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tests" / "host_app"], ids=["the app", "the example app"])
def test_host_json_fits_the_schema(folder: Path) -> None:
    assert complaints(json.loads((folder / "host.json").read_text("utf-8"))) == []


@pytest.mark.parametrize(("path", "value"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_mistake_is_found_and_only_that(path: str, value: object) -> None:
    assert len(complaints(changed(path, value))) == 1


@pytest.mark.parametrize(("path", "value"), ALLOWED)
def test_a_documented_key_is_allowed(path: str, value: object) -> None:
    assert complaints(changed(path, value)) == []


def test_the_host_reads_the_values_the_design_relies_on() -> None:
    queues = QueueOptions(
        max_polling_interval=1,
        visibility_timeout=30,
        batch_size=8,
        new_batch_threshold=0,
        max_dequeue_count=5,
        base64=False,
    )
    assert read_host_json(ROOT) == HostOptions(queues=queues, route_prefix="api", function_timeout=600)


def test_requests_and_exceptions_are_never_sampled_away() -> None:
    sampling = current()["logging"]["applicationInsights"]["samplingSettings"]
    assert set(sampling["excludedTypes"].split(";")) == {"Request", "Exception"}


def test_only_extensions_bundled_with_the_host_are_asked_for() -> None:
    assert current()["extensionBundle"] == {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.*, 5.0.0)",
    }

"""What the host reads before it starts: host.json, settings, and the functions as the worker describes them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRIGGERS = {"queueTrigger", "timerTrigger", "httpTrigger"}
OUTPUTS = {"queue", "http"}


class ConfigurationError(Exception):
    """The folder or its settings cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """host.json, extensions.queues, with the real defaults; times in seconds."""

    max_polling_interval: float = 60
    visibility_timeout: float = 0
    batch_size: int = 16
    new_batch_threshold: int = 8 * (os.cpu_count() or 1)
    max_dequeue_count: int = 5
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostOptions:
    """The parts of host.json that this host obeys; `function_timeout` None means unbounded."""

    queues: QueueOptions = field(default_factory=QueueOptions)
    route_prefix: str = "api"
    function_timeout: float | None = 1800


@dataclass(frozen=True, slots=True)
class Function:
    """One indexed function: its trigger binding and its output bindings, as the decorators wrote them."""

    name: str
    trigger: dict[str, Any]
    outputs: tuple[dict[str, Any], ...]

    @property
    def argument(self) -> str:
        """The name of the parameter that receives the trigger."""
        return str(self.trigger["name"])


def function_from(name: str, raw_bindings: list[str]) -> Function:
    """The function behind the worker's metadata; `ConfigurationError` for a binding this host does not know."""
    bindings: list[dict[str, Any]] = [json.loads(raw) for raw in raw_bindings]
    triggers = [binding for binding in bindings if binding["type"] in TRIGGERS]
    outputs = tuple(binding for binding in bindings if binding["type"] in OUTPUTS and binding["direction"] == "OUT")
    unknown = sorted({binding["type"] for binding in bindings if binding not in triggers and binding not in outputs})
    if unknown or len(triggers) != 1:
        raise ConfigurationError(f"{name}: this host has no {', '.join(unknown) or 'single trigger'}; use func start")
    return Function(name, triggers[0], outputs)


def read_host_json(directory: Path) -> HostOptions:
    """The options of a folder's host.json; keys that are not there take the real host's defaults."""
    path = directory / "host.json"
    if not path.exists():
        raise ConfigurationError(f"{directory} has no host.json")
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    extensions = content.get("extensions", {})
    queues = extensions.get("queues", {})
    default = QueueOptions()
    batch_size = int(queues.get("batchSize", default.batch_size))
    threshold = int(queues.get("newBatchThreshold", batch_size // 2 * (os.cpu_count() or 1)))
    timeout = content.get("functionTimeout")
    return HostOptions(
        queues=QueueOptions(
            max_polling_interval=seconds(queues.get("maxPollingInterval", "00:01:00")),
            visibility_timeout=seconds(queues.get("visibilityTimeout", "00:00:00")),
            batch_size=batch_size,
            new_batch_threshold=threshold,
            max_dequeue_count=int(queues.get("maxDequeueCount", default.max_dequeue_count)),
            base64=queues.get("messageEncoding", "base64") == "base64",
        ),
        route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
        function_timeout=HostOptions().function_timeout if timeout is None else _timeout(timeout),
    )


def _timeout(text: str) -> float | None:
    return None if text == "-1" else seconds(text)


def seconds(timespan: str) -> float:
    """A .NET TimeSpan text, ``[d.]hh:mm:ss[.fraction]``, in seconds."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d\d):(\d\d):(\d\d(?:\.\d+)?)", timespan)
    if match is None:
        raise ConfigurationError(f"{timespan!r} is not a time of the form hh:mm:ss")
    days, hours, minutes, rest = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)


def read_settings(path: Path) -> dict[str, str]:
    """Settings from a file: the `Values` of a local.settings.json, or lines of the form NAME=value."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("{"):
        return {name: str(value) for name, value in json.loads(text).get("Values", {}).items()}
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """The text with every ``%NAME%`` replaced by the setting of that name, which must exist."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise ConfigurationError(f"{match[0]} does not resolve: there is no setting {match[1]}")
        return settings[match[1]]

    return re.sub(r"%([^%\s]+)%", value, text)


def connection_string(name: str, settings: Mapping[str, str]) -> str:
    """The connection string behind a binding's `connection` (empty = the host's own storage)."""
    name = name or "AzureWebJobsStorage"
    for candidate in (f"AzureWebJobs{name}", name):
        if settings.get(candidate):
            return settings[candidate]
    if any(setting.startswith((f"{name}__", f"AzureWebJobs{name}__")) for setting in settings):
        raise ConfigurationError(f"connection {name} is identity-based; this host knows connection strings only")
    raise ConfigurationError(f"connection {name}: there is no setting {name} and no AzureWebJobs{name}")


def enabled(function: Function, settings: Mapping[str, str]) -> bool:
    """Whether the function runs: not switched off by ``AzureWebJobs.NAME.Disabled``."""
    return settings.get(f"AzureWebJobs.{function.name}.Disabled", "").lower() not in {"1", "true"}

"""The terminal as all commands use it: where they print, how they end, and where their settings come from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from connector.bootstrap import Application
from connector.errors import ConnectorError, SettingsFault
from connector.flows.parts import Parts
from connector.flows.rehearse import Rehearsal
from connector.rehearsal import rehearsal
from connector.settings import load_settings
from connector.telemetry import quiet_libraries

console = Console()


def guarded(command: Callable[[Parts], None]) -> None:
    """Runs the command; a fault ends it with one clear message and exit code 1."""
    try:
        command(Application(environment()).parts)
    except ConnectorError as error:
        fail(str(error))


def rehearsed(command: Callable[[Rehearsal], None]) -> None:
    """Runs the command where nothing can be changed; a fault ends it as with `guarded`."""
    quiet_libraries()
    try:
        command(rehearsal(load_settings(environment())))
    except ConnectorError as error:
        fail(str(error))


def environment() -> dict[str, str]:
    """The settings of local.settings.json in the current folder, and over them the environment. Raises `SettingsFault`."""
    file = Path("local.settings.json")
    try:
        values = json.loads(file.read_text("utf-8"))["Values"] if file.is_file() else {}
        return dict(values) | dict(os.environ)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsFault(
            f"{file} cannot be read ({type(error).__name__}); compare it with local.settings.sample.json"
        ) from None


def fail(message: str) -> NoReturn:
    """Ends the command with this message and exit code 1."""
    Console(stderr=True).print(Text(message, style="red"))
    raise typer.Exit(1)

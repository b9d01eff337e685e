"""``check``: everything a run needs, asked for and judged, one line each. Nothing is written to either system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from connector.bootstrap import TABLES, Ports, assemble, real_ports
from connector.commands.terminal import console, environment, fail
from connector.errors import ConnectorError, SettingsFault
from connector.flows.check import (
    Line,
    check_business_central,
    check_servicenow,
    check_storage,
    exported,
    settings_lines,
)
from connector.flows.parts import Parts
from connector.model.catalog import Facts
from connector.settings import load_settings
from connector.telemetry import quiet_libraries

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class Checked:
    """The lines of a check, and what it found on its way. `environment` holds the settings, `ports` the world (default: the
    real one)."""

    def __init__(self, environment: Mapping[str, str], ports: Ports | None = None) -> None:
        self.lines: list[Line] = []
        self.parts: Parts | None = None
        self.facts: Facts | None = None
        try:
            settings = load_settings(environment)
            ports = ports or real_ports(settings)
            self.parts = assemble(settings, ports)
        except SettingsFault as fault:
            self.lines = settings_lines(fault)
            return
        self.lines += check_storage(settings, ports.tables, ports.queues, TABLES)
        self.lines += check_business_central(self.parts)
        found, self.facts = check_servicenow(self.parts)
        self.lines += found

    @property
    def failed(self) -> bool:
        """Whether a run could not do its work."""
        return any(line.failed for line in self.lines)


def check(
    as_json: Annotated[bool, typer.Option("--json", help="print the lines as a JSON list")] = False,
    export_metadata: Annotated[
        Path | None, typer.Option(help="as a ServiceNow administrator: write tables, columns and maps for SN_METADATA")
    ] = None,
    accept_changes: Annotated[
        bool,
        typer.Option("--accept-changes", help="take the instance's tables as they are now for what they should be"),
    ] = False,
) -> None:
    """Asks both systems and storage for everything a run needs; writes nothing to them. Exit code 1 when a line says FAIL."""
    quiet_libraries()
    try:
        seen = Checked(environment())
    except ConnectorError as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps([_fields(line) for line in seen.lines], ensure_ascii=False, indent=1))
    else:
        for line in seen.lines:
            console.print(_text(line), soft_wrap=True)
    if seen.parts is not None and seen.facts is not None:
        _follow(seen.parts, seen.facts, export_metadata, accept=accept_changes)
    if seen.failed:
        raise typer.Exit(1)


def _follow(parts: Parts, facts: Facts, export: Path | None, *, accept: bool) -> None:
    try:
        if export is not None:
            export.write_text(exported(parts, facts), "utf-8")
        if accept:
            parts.preflight.accept(parts.preflight.judgement(facts))
    except (ConnectorError, OSError) as error:
        fail(str(error))


def _fields(line: Line) -> dict[str, str]:
    one = line.finding
    return {
        "area": line.area,
        "code": one.code,
        "level": one.level,
        "subject": one.table,
        "what": one.what,
        "remedy": one.remedy,
    }


def _text(line: Line) -> Text:
    one = line.finding
    word = one.level.upper() if line.failed else one.level
    text = Text(f"{word:<5}", style=STYLES[one.level])
    text.append(f"{line.area}: " + (f"{one.table}: " if one.table else "") + one.what, style="default")
    if one.remedy:
        text.append(f". {one.remedy}", style="default")
    return text

"""Where the rows of an export go, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import typer

from connector.commands.terminal import fail
from connector.flows.export import Row, as_csv, as_json, heading


class Format(StrEnum):
    """The forms of an export."""

    CSV = "csv"
    JSON = "json"


LINES: Mapping[Format, Callable[[Row], str]] = {Format.CSV: as_csv, Format.JSON: as_json}


def write_rows(rows: Iterable[Row], form: Format, out: Path | None = None) -> int:
    """Writes the rows as they come, to the file or to standard output, in UTF-8; how many. A file is there when it is complete:
    until then, and when the command ends early, it keeps what it held."""
    line = LINES[form]
    count = 0
    with _sink(out) as write:
        if form is Format.CSV:
            write(heading())
        for row in rows:
            write(line(row))
            count += 1
    return count


@contextmanager
def _sink(out: Path | None) -> Iterator[Callable[[str], object]]:
    if out is None:
        # As bytes: line ends and letters are the same on every system.
        stream = typer.get_binary_stream("stdout")
        yield lambda text: stream.write(text.encode())
        stream.flush()
        return
    unfinished = out.parent / f"{out.name}.unfinished"
    try:
        with unfinished.open("wb") as file:
            yield lambda text: file.write(text.encode())
        unfinished.replace(out)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror or type(error).__name__}.")
    finally:
        with suppress(OSError):
            unfinished.unlink()

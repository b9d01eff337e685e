"""A file on its way from one system to the other: in memory while it is small, on disk beyond, never larger than allowed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType

from connector.errors import ConnectorError

IN_MEMORY = 1_000_000
CHUNK = 65_536


class TooLarge(ConnectorError):
    """The file is larger than allowed; it was not read to its end."""


class Spool:
    """Takes a file's bytes and gives them back in chunks, as often as asked. Use it as a context: it leaves nothing behind."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed with this
        self.size = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, chunk: bytes) -> None:
        """Adds bytes. Raises `TooLarge` as soon as there are more than allowed."""
        self.size += len(chunk)
        if self.size > self._most:
            raise TooLarge(f"the file has more than {self._most} bytes")
        self._file.write(chunk)

    def clear(self) -> None:
        """Forgets what was written, for another try."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def head(self, length: int) -> bytes:
        """The first bytes."""
        self._file.seek(0)
        return self._file.read(length)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0, io.SEEK_SET)
        while chunk := self._file.read(CHUNK):
            yield chunk

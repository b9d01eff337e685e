"""Files: what belongs to a document in Business Central besides its data, and what a record in ServiceNow has attached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FileKind = Literal["pdfDocument", "attachments", "documentAttachments"]
"""What API v2.0 calls them: the document as BC prints it, its incoming documents, what users attached to it."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a document in BC. `id`: the document's own for its print; `size` in bytes as BC tells it, None when it does
    not; `modified`: BC's stamp as text."""

    kind: FileKind
    id: str
    name: str
    size: int | None = None
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """One file of a record in ServiceNow. `size` in bytes, None when it is not told."""

    name: str
    size: int | None

"""Files: what they are called in ServiceNow, which of a document's are attached already, and what a refused upload is about.

ServiceNow keeps every upload as another attachment, so a file is attached only when none of the record's stands for it: one
of its name and size, or of its name alone when BC prints it anew each time with other bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

from connector.model.documents import Document, Entity
from connector.model.files import Attached, File

LONGEST_NAME = 100
UNNAMED = "file"
RESERVED = "SD_"
"""How names of ServiceNow's own files begin ("AP Invoice API")."""
RESERVED_PREFIX = "BC_"
PLAIN = "application/octet-stream"
CONTENT_TYPES = {
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "eml": "message/rfc822",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "msg": "application/vnd.ms-outlook",
    "pdf": "application/pdf",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
"""By a name's ending. What a browser would run (HTML, SVG) is not among them, whatever BC says it is."""

_UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_NUMBERED = re.compile(r"(?P<stem>.+) \[(?P<number>[2-9]|[1-9]\d{1,3})\](?P<ending>\.[^.]*)?\Z", re.ASCII)
"""How further files of one name are called: a [2].pdf."""


def clean_name(name: str) -> str:
    """The name without control and direction characters and path separators, at most `LONGEST_NAME` characters with its
    ending, not one that ServiceNow keeps for itself, and none that looks like a numbered copy made here."""
    kept = (" " if unicodedata.category(one) in _UNPRINTABLE else one for one in name)
    text = " ".join(re.sub(r"[/\\:]", "_", "".join(kept)).split()).strip(". ") or UNNAMED
    if text.upper().startswith(RESERVED):
        text = RESERVED_PREFIX + text
    return _NUMBERED.sub(r"\g<stem> (\g<number>)\g<ending>", _shortened(text, LONGEST_NAME))


def content_type(name: str) -> str:
    """The type that goes by the name's ending."""
    return CONTENT_TYPES.get(name.rpartition(".")[2].lower(), PLAIN)


def print_of(document: Document) -> File | None:
    """The document as BC prints it; None when BC will not: an invoice or credit memo must be posted first ("Get purchaseInvoice
    pdfDocument")."""
    unposted = document.entity is not Entity.PURCHASE_ORDER and document.status in ("Draft", "In Review")
    return None if unposted else File("pdfDocument", document.id, f"{document.number}.pdf")


def fingerprint(files: Iterable[File]) -> str:
    """Changes when a file comes, goes or is changed in BC."""
    rows = sorted((one.kind, one.id, one.name, one.size or 0, one.modified) for one in files)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]


class Shelf:
    """The attachments of one record, each of which stands for at most one file in BC."""

    def __init__(self, present: Sequence[Attached]) -> None:
        self._free = list(present)
        self._names = {one.name for one in present}

    def missing(self, files: Iterable[File]) -> list[File]:
        """Those of a document's files that are not there, oldest first, the print before all others."""
        ordered = sorted(files, key=lambda one: (one.kind != "pdfDocument", one.modified, one.id))
        return [one for one in ordered if not self.holds(one)]

    def holds(self, file: File) -> bool:
        """Whether one that is still free stands for the file; it is taken then."""
        base = clean_name(file.name)
        for one in self._free:
            printed = file.kind == "pdfDocument" and one.name == base
            if printed or (file.size is not None and one.size == file.size and _is_called(one.name, base)):
                self._free.remove(one)
                return True
        return False

    def place(self, file: File) -> str:
        """The name for a file that is missing: its own, with a number when the record has that name already."""
        base = clean_name(file.name)
        name, number = base, 1
        while name in self._names:
            number += 1
            name = _numbered(base, number)
        self._names.add(name)
        return name


Concern = Literal["file", "record", "caller"]
_ABOUT_CALLER = ("does not represent any resource", "User Not Authorized", "API level ACL", "unscoped")


def concern(status: int, words: str) -> Concern:
    """What a refused upload is about: this ``file`` (its size or kind), this ``record``, or the ``caller`` and the API. Status
    codes as in "REST API HTTP response codes"; which 400 it is, only the words tell."""
    if any(sign in words for sign in _ABOUT_CALLER):
        return "caller"
    if status in (400, 413, 415, 422):
        return "file"
    return "record" if status in (403, 404) else "caller"


def _is_called(name: str, base: str) -> bool:
    found = _NUMBERED.fullmatch(name)
    return name == (base if found is None else _numbered(base, int(found["number"])))


def _numbered(base: str, number: int) -> str:
    mark = f" [{number}]"
    stem, ending = _split(_shortened(base, LONGEST_NAME - len(mark)))
    return f"{stem}{mark}{ending}"


def _shortened(name: str, length: int) -> str:
    stem, ending = _split(name)
    return stem[: length - len(ending)] + ending


def _split(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem and len(ending) <= 10 else (name, "")

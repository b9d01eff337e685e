"""The reader of files: what is attached to documents, and the bytes of one file at a time.

Names and addresses: "attachment", "documentAttachment" and "pdfDocument resource type", "Get purchaseInvoice pdfDocument". An
address is made of ids alone; the links that rows carry (mediaReadLink) are never followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from connector.business_central.odata import any_of, guid, query
from connector.business_central.session import SYSTEM, BusinessCentralSession, Json, PageBroken
from connector.errors import DocumentFault, Outage, Reason
from connector.model.documents import Entity
from connector.model.files import File, FileKind
from connector.ports import Clock, Randomness
from connector.remote.patience import patiently
from connector.remote.spool import Spool
from connector.setting_words import Company

DOCUMENTS_A_REQUEST = 20
"""BC may load the files themselves to tell their names, so few documents are asked about at a time."""
TIMEOUT = 70.0
"""Seconds for one file, below the lease of the slot in ServiceNow that is held meanwhile."""
SIGNATURE, SIGNATURE_WITHIN = b"%PDF-", 1024

_KINDS: tuple[FileKind, ...] = ("attachments", "documentAttachments")
_CONTENT: Mapping[FileKind, str] = {
    kind: "pdfDocumentContent" if kind == "pdfDocument" else "attachmentContent" for kind in get_args(FileKind)
}


@dataclass(slots=True)
class Listing:
    """The files of several documents, by document; what is in neither is not there any more, or was not got to."""

    files: dict[str, list[File]] = field(default_factory=dict)
    faults: dict[str, DocumentFault] = field(default_factory=dict)


class FileReader:
    """Reads files from the API v2.0 of one environment."""

    def __init__(self, session: BusinessCentralSession, clock: Clock, randomness: Randomness) -> None:
        self._session = session
        self._clock = clock
        self._randomness = randomness

    def attached(
        self, company: Company, entity: Entity, ids: Sequence[str], *, may_go_on: Callable[[], bool]
    ) -> Listing:
        """What is attached to the documents. Raises `Outage`; a document whose list BC cannot deliver has a fault."""
        listing = Listing()
        for start in range(0, len(ids), DOCUMENTS_A_REQUEST):
            self._list(company, entity, ids[start : start + DOCUMENTS_A_REQUEST], listing, may_go_on)
        return listing

    def read(self, company: Company, entity: Entity, document: str, file: File, into: Spool) -> None:
        """The file's bytes into the spool, none for a file that is empty or was removed a moment ago.

        Raises `Outage`, `TooLarge` from the spool, and `DocumentFault` when BC cannot deliver this file.
        """
        path = _path(company, entity, document, file)

        def attempt() -> str:
            into.clear()
            return self._session.content(path, into, timeout=TIMEOUT).headers.get("content-type", "")

        try:
            kind = patiently(attempt, self._clock, self._randomness)
        except PageBroken as broken:
            if broken.cause == "size":
                raise Outage(SYSTEM, f"a file {broken}") from broken
            if self._was_removed(company, entity, document, file):
                into.clear()
                return
            raise DocumentFault([_unreadable(f"{file.name}: {broken}")]) from broken
        if kind.lower().startswith("text/html") and not file.name.lower().endswith((".htm", ".html")):
            raise Outage(SYSTEM, "answered with a page instead of a file (a login or maintenance page?)")
        if file.kind == "pdfDocument" and SIGNATURE not in into.head(SIGNATURE_WITHIN):
            raise DocumentFault([_unreadable(f"{file.name}: what BC printed is no PDF")])

    def _was_removed(self, company: Company, entity: Entity, document: str, file: File) -> bool:
        if file.kind == "pdfDocument":
            return False
        listing = self.attached(company, entity, [document], may_go_on=lambda: True)
        return document in listing.files and file.id not in {one.id for one in listing.files[document]}

    def _list(
        self,
        company: Company,
        entity: Entity,
        ids: Sequence[str],
        listing: Listing,
        may_go_on: Callable[[], bool],
    ) -> None:
        if not may_go_on():
            return
        parts = ",".join(f"{kind}($select=id,fileName,byteSize,lastModifiedDateTime)" for kind in _KINDS)
        options = query(filter=any_of("id", ids), expand=parts, select="id")
        try:
            path = f"companies({guid(company.id)})/{entity.value}?{options}"
            for page in self._session.pages(path, page_size=DOCUMENTS_A_REQUEST):
                for row in page.rows:
                    id_ = str(row.get("id", "")).lower()
                    if id_ in ids:
                        listing.files[id_] = list(_files(row))
        except PageBroken as broken:
            if len(ids) > 1:
                for id_ in ids:
                    self._list(company, entity, [id_], listing, may_go_on)
                return
            if broken.cause != "data":
                raise Outage(SYSTEM, f"the list of a document's files {broken}") from broken
            listing.faults[ids[0]] = DocumentFault([_unreadable(f"the list of its files: {broken}")])


def _files(row: Json) -> Iterator[File]:
    for kind in _KINDS:
        rows = row.get(kind)
        if not isinstance(rows, list):
            raise Outage(SYSTEM, f"the answer has no list of {kind}")
        for one in rows:
            size = one.get("byteSize")
            yield File(
                kind,
                guid(str(one["id"])),
                str(one.get("fileName") or ""),
                size if isinstance(size, int) else None,
                str(one.get("lastModifiedDateTime") or ""),
            )


def _path(company: Company, entity: Entity, document: str, file: File) -> str:
    whole = f"companies({guid(company.id)})"
    if file.kind == "pdfDocument":
        return f"{whole}/{entity.value}({guid(document)})/pdfDocument/{_CONTENT[file.kind]}"
    return f"{whole}/{file.kind}({guid(file.id)})/{_CONTENT[file.kind]}"


def _unreadable(what: str) -> Reason:
    return Reason(
        "FILE_NOT_READABLE_IN_BC",
        f"Business Central cannot deliver a file of this document: {what}"[:500],
        "Open the file, or print the document, in BC; correct what BC complains of or remove the file there, then replay.",
    )

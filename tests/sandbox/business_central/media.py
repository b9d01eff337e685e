"""Media properties: the links that rows show, the content behind them, and the printed document made on demand.

Rows are rendered without knowing the address they will be read from; `MEDIA_BASE` stands for it until the answer leaves.
"""

from __future__ import annotations

from tests.sandbox.business_central.document_sets import PARENT_TYPES
from tests.sandbox.business_central.encoding import number_text
from tests.sandbox.business_central.entities import EntitySet
from tests.sandbox.business_central.file_sets import PDF_DOCUMENTS
from tests.sandbox.business_central.store import CompanyState, Record

MEDIA_BASE = "\ue000media\ue000"
_TYPES = {"pdfDocumentContent": "application/pdf"}
_FILE_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".txt": "text/plain"}


def links_json(state: CompanyState, record: Record, entity: EntitySet) -> str:
    """The link properties of a row's media, as the inside of a JSON object."""
    parts = []
    for name in entity.streams:
        address = f"{MEDIA_BASE}/companies({state.id})/{entity.name}({record.id})/{name}"
        for link in ("mediaEditLink", "mediaReadLink") if entity.writable else ("mediaReadLink",):
            parts.append(f'"{name}@odata.{link}":"{address}"')
    return ",".join(parts)


def content_of(state: CompanyState, record: Record, name: str) -> tuple[bytes, str]:
    """The content of a media property and its type; empty where nothing was ever stored."""
    if record.entity is PDF_DOCUMENTS:
        owner = document_of(state, str(record.values["parentId"]))
        return (b"" if owner is None else printed(owner)), _TYPES[name]
    file_name = str(record.values.get("fileName", "")).lower()
    kind = next((kind for end, kind in _FILE_TYPES.items() if file_name.endswith(end)), "application/octet-stream")
    return state.files.get(f"{record.id}/{name}", b""), kind


def store_content(state: CompanyState, record: Record, name: str, content: bytes) -> None:
    """Keeps what was uploaded for a media property."""
    state.files[f"{record.id}/{name}"] = content
    if "byteSize" in record.values:
        record.values["byteSize"] = len(content)


def document_of(state: CompanyState, key: str) -> Record | None:
    """The document, line or ledger entry with this id."""
    for name in PARENT_TYPES:
        if key in state.sets[name]:
            return state.sets[name][key]
    return None


def pdf_record(owner: Record) -> Record:
    """The row of a document's printed form. Nobody stores it: it goes by the document's own id."""
    return Record(
        {
            "id": owner.id,
            "parentId": owner.id,
            "parentType": PARENT_TYPES[owner.entity.name],
        },
        owner.version,
        PDF_DOCUMENTS,
        owner,
    )


def printed(document: Record) -> bytes:
    """A small but whole PDF of a document: its kind, number, vendor and lines."""
    values = document.values
    texts = [f"{document.entity.caption} {values['number']}", str(values.get("vendorName", ""))]
    for line in document.lines:
        quantity = line.values["quantity"]
        texts.append(f"{line.values['description']}  {number_text(quantity)}")
    shown = " ".join(f"({_escaped(text)}) Tj T*" for text in texts)
    page = f"BT /F1 10 Tf 12 TL 40 800 Td {shown} ET".encode("latin-1", "replace")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(page), page),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    written = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return written + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(written),
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")

"""The entity sets around files: incoming documents, attached documents, and the printed document as PDF.

Their content is a media property: rows show links to it, and it is read from ``…({id})/attachmentContent``.
"""

from __future__ import annotations

from tests.sandbox.business_central.entities import EntitySet, Navigation, declared

_DOCUMENTS = (
    "Journal|Sales Order|Sales Quote|Sales Credit Memo|Sales Invoice|Purchase Invoice|General Ledger Entry|Purchase Order|"
    "Purchase Credit Memo|Purchase Receipt"
)

ATTACHMENTS = EntitySet(
    name="attachments",
    type_name="attachment",
    caption="Attachment",
    source="contained",
    streams=("attachmentContent",),
    orphaned="You must get to the parent first to get to the attachments.",
    properties=declared(f"""
        id guid ro; parentId guid; fileName text(250); byteSize int ro; parentType enum( |{_DOCUMENTS})
        lastModifiedDateTime datetime ro
    """),
)

DOCUMENT_ATTACHMENTS = EntitySet(
    name="documentAttachments",
    type_name="documentAttachment",
    caption="Document Attachment",
    source="contained",
    streams=("attachmentContent",),
    orphaned="You must get to the parent first to get to the document attachments.",
    properties=declared(f"""
        id guid ro; fileName text(250); byteSize int ro; parentType enum( |{_DOCUMENTS}|Customer|Item|Vendor|Employee|Job)
        parentId guid; lineNumber int; documentFlowSales bool; documentFlowPurchase bool; lastModifiedDateTime datetime ro
    """),
)

PDF_DOCUMENTS = EntitySet(
    name="pdfDocument",
    type_name="pdfDocument",
    caption="PDF Document",
    source="contained",
    writable=False,
    streams=("pdfDocumentContent",),
    orphaned="You must get to the parent first to get to the PDF document.",
    properties=declared(f"id guid; parentId guid; parentType enum( |{_DOCUMENTS})"),
)

FILE_NAVIGATIONS = (
    Navigation("pdfDocument", "pdfDocument", one=True),
    Navigation("attachments", "attachments", foreign="parentId"),
    Navigation("documentAttachments", "documentAttachments", foreign="parentId"),
)

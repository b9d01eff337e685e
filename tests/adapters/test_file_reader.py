"""The reader of files against the simulator: lists of several documents at once, single files, and what BC cannot deliver."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from connector.errors import DocumentFault, Outage, Refused, Throttled
from connector.model.documents import Entity
from connector.model.files import File
from connector.remote.spool import Spool, TooLarge
from tests.flows.files_bench import pipeline, put
from tests.flows.pipeline import BC_HOST, INVOICES, ORDERS, US, Pipeline
from tests.sandbox.wire import Fault, Handler

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
MEDIA = "attachmentContent|pdfDocumentContent"
INVOICE = Entity.PURCHASE_INVOICE


@pytest.fixture
def there(tmp_path: Path) -> Pipeline:
    return pipeline(tmp_path)


def listed(there: Pipeline, *numbers: str, entity: Entity = INVOICE) -> dict[str, list[str]]:
    """The names of the files of these documents, by number."""
    ids = {there.find(US, number, entity=entity.value): number for number in numbers}
    company = there.settings.companies[0]
    listing = there.parts.files.attached(company, entity, list(ids), may_go_on=lambda: True)
    assert listing.faults == {}
    return {ids[id_]: [file.name for file in files] for id_, files in listing.files.items()}


def file_of(there: Pipeline, number: str, name: str = "") -> File:
    """A file of an invoice: the one of this name, else its print."""
    id_ = there.find(US, number, entity=INVOICES)
    if not name:
        return File("pdfDocument", id_, f"{number}.pdf")
    company = there.settings.companies[0]
    files = there.parts.files.attached(company, INVOICE, [id_], may_go_on=lambda: True).files[id_]
    return next(file for file in files if file.name == name)


def read(there: Pipeline, number: str, file: File, most: int = 10**6) -> bytes:
    """The file's bytes."""
    with Spool(most) as spool:
        company = there.settings.companies[0]
        there.parts.files.read(company, INVOICE, there.find(US, number, entity=INVOICES), file, spool)
        return b"".join(spool)


def behind(there: Pipeline, answer: Handler) -> None:
    """From now on BC's answers go through this; None from it leaves the simulator to answer."""
    handler = there.bc_exchange.handler
    there.bc_exchange.handler = lambda request: answer(request) or handler(request)


def test_the_files_of_several_documents_are_listed_with_one_request(there: Pipeline) -> None:
    put(there, INVOICES, "108003", "later.txt", kind="attachments")
    listed(there, "108000")
    before = there.bc_exchange.counts["GET"]
    assert listed(there, "108000", "108001", "108003", "108004") == {
        "108000": ["Invoice 108000.pdf", "Note 108000.txt"],
        "108001": ["Invoice 108001.pdf", "Note 108001.txt"],
        "108003": ["later.txt"],
        "108004": [],
    }
    assert there.bc_exchange.counts["GET"] == before + 1


def test_a_list_tells_sizes_and_stamps_and_asks_for_nothing_else(there: Pipeline) -> None:
    file = file_of(there, "108000", "Note 108000.txt")
    assert file.kind == "documentAttachments"
    assert file.size == len(read(there, "108000", file))
    assert file.modified.endswith("Z")
    (asked,) = (sent for sent in there.wire.to(BC_HOST, method="GET") if sent.path.endswith("/purchaseInvoices"))
    assert asked.status == 200


def test_a_document_that_is_gone_is_in_no_list(there: Pipeline) -> None:
    id_ = there.find(US, "106001")
    there.business_central.delete(US, ORDERS, "106001")
    company = there.settings.companies[0]
    listing = there.parts.files.attached(company, Entity.PURCHASE_ORDER, [id_], may_go_on=lambda: True)
    assert (listing.files, listing.faults) == ({}, {})


def test_nothing_is_asked_when_no_time_is_left(there: Pipeline) -> None:
    company = there.settings.companies[0]
    id_ = there.find(US, "108000", entity=INVOICES)
    before = len(there.wire.requests)
    assert there.parts.files.attached(company, INVOICE, [id_], may_go_on=lambda: False).files == {}
    assert len(there.wire.requests) == before


def test_a_document_whose_list_breaks_the_answer_is_isolated(there: Pipeline) -> None:
    bad = there.find(US, "108001", entity=INVOICES)
    error = json.dumps({"error": {"code": "Application_DialogException", "message": "The file is damaged."}})

    def damaged(request: httpx.Request) -> httpx.Response | None:
        if bad in str(request.url) and "expand" in str(request.url):
            return httpx.Response(400, headers=JSON, content=error)
        return None

    behind(there, damaged)  # type: ignore[arg-type]
    ids = [there.find(US, number, entity=INVOICES) for number in ("108000", "108001", "108002")]
    listing = there.parts.files.attached(there.settings.companies[0], INVOICE, ids, may_go_on=lambda: True)
    assert set(listing.files) == {ids[0], ids[2]}
    (reason,) = listing.faults[bad].reasons
    assert reason.code == "FILE_NOT_READABLE_IN_BC"
    assert "The file is damaged." in reason.message


def test_an_answer_without_the_lists_is_no_word_on_files(there: Pipeline) -> None:
    row = {"id": there.find(US, "108000", entity=INVOICES)}

    def bare(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json={"value": [row]}) if "expand" in str(request.url) else None

    behind(there, bare)  # type: ignore[arg-type]
    with pytest.raises(Outage, match="no list of attachments"):
        listed(there, "108000")


def test_a_print_is_a_pdf(there: Pipeline) -> None:
    assert read(there, "108000", file_of(there, "108000")).startswith(b"%PDF-")


def test_addresses_are_made_of_ids_whatever_links_the_rows_carry(there: Pipeline) -> None:
    handler = there.bc_exchange.handler

    def poisoned(request: httpx.Request) -> httpx.Response:
        answer = handler(request)
        if "expand" not in str(request.url):
            return answer
        text = answer.text.replace(
            '"fileName"', '"attachmentContent@odata.mediaReadLink":"https://evil.example/","fileName"'
        )
        return httpx.Response(answer.status_code, headers=JSON, content=text)

    there.bc_exchange.handler = poisoned
    assert read(there, "108000", file_of(there, "108000", "Note 108000.txt")).startswith(b"Checked")
    assert {sent.host for sent in there.wire.requests} <= {BC_HOST, "login.microsoftonline.com"}


def test_an_id_that_is_none_never_reaches_an_address(there: Pipeline) -> None:
    with pytest.raises(ValueError, match="not a GUID"):
        read(there, "108000", File("attachments", "1)/../..", "a"))


def test_an_empty_file_has_no_bytes(there: Pipeline) -> None:
    put(there, INVOICES, "108003", "empty.txt", b"")
    assert read(there, "108003", file_of(there, "108003", "empty.txt")) == b""


def test_a_file_that_is_removed_before_it_is_read_is_nothing_to_carry(there: Pipeline) -> None:
    file = file_of(there, "108000", "Note 108000.txt")
    there.business_central.delete(US, "documentAttachments", file.id)
    assert read(there, "108000", file) == b""


@pytest.mark.parametrize("effect", ["cut_body", "reset_after", "reset_before"])
def test_a_passing_fault_costs_another_try(there: Pipeline, effect: str) -> None:
    file = file_of(there, "108000", "Note 108000.txt")
    there.bc_exchange.faults = [Fault(effect, path=MEDIA)]  # type: ignore[arg-type]
    assert read(there, "108000", file).startswith(b"Checked")


def test_a_stale_token_costs_a_new_one(there: Pipeline) -> None:
    file = file_of(there, "108000", "Note 108000.txt")
    there.bc_exchange.faults = [Fault("answer", path=MEDIA, status=401, headers=JSON, answer="{}")]
    assert read(there, "108000", file).startswith(b"Checked")


@pytest.mark.parametrize(
    ("status", "headers", "answer", "error"),
    [
        (401, JSON, "{}", Refused),
        (403, JSON, "{}", Refused),
        (404, HTML, "not here", Refused),
        (429, JSON | {"Retry-After": "7"}, "{}", Throttled),
        (503, HTML, "unavailable", Outage),
        (504, HTML, "too slow", Outage),
        (302, {"Location": "https://evil.example/"}, "", Outage),
        (200, HTML, "<html>sign in</html>", Outage),
    ],
)
def test_what_is_no_fault_of_the_file_is_an_outage(
    there: Pipeline, status: int, headers: dict[str, str], answer: str, error: type[Outage]
) -> None:
    file = file_of(there, "108000", "Note 108000.txt")
    there.bc_exchange.faults = [Fault("answer", path=MEDIA, status=status, headers=headers, answer=answer, times=None)]
    with pytest.raises(error):
        read(there, "108000", file)


def test_what_bc_cannot_print_is_the_documents_fault(there: Pipeline) -> None:
    error = json.dumps({"error": {"code": "Application_DialogException", "message": "No report is selected."}})
    there.bc_exchange.faults = [Fault("answer", path=MEDIA, status=400, headers=JSON, answer=error, times=None)]
    with pytest.raises(DocumentFault, match="No report is selected"):
        read(there, "108000", file_of(there, "108000"))


def test_what_is_no_pdf_is_not_taken_for_a_print(there: Pipeline) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    there.bc_exchange.faults = [Fault("answer", path=MEDIA, status=200, headers=headers, answer="oops", times=None)]
    with pytest.raises(DocumentFault, match="no PDF"):
        read(there, "108000", file_of(there, "108000"))


def test_the_cap_holds_whatever_bc_says_of_the_size(there: Pipeline) -> None:
    file = file_of(there, "108000", "Note 108000.txt")
    with pytest.raises(TooLarge):
        read(there, "108000", file, most=10)

"""Documents with files: profiles that ask for them, files put into BC as users do it, and what arrived in ServiceNow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from connector.decisions.states import Status
from connector.model.documents import Entity
from connector.model.units import Origin, Reference, Unit
from tests.flows.pipeline import INVOICES, ORDERS, SN_HOST, US, Pipeline, some
from tests.sandbox.business_central.media import printed
from tests.sandbox.business_central.probe import Probe
from tests.sandbox.business_central.store import CompanyState
from tests.sandbox.servicenow.attachment_files import content, files_of
from tests.sandbox.servicenow.shipped import CONNECTOR_USER

UPLOAD = "/api/now/attachment/file"
ROWS = "/api/now/v1/batch"
LISTED = "/api/now/table/sys_attachment"
TARGETS = {ORDERS: "sn_shop_purchase_order", INVOICES: "sn_shop_invoice"}
WRITER = "sn_shop.procurement_common_user"
"""Who may write the records that documents become."""
NOT_CARRIED: frozenset[str] = frozenset()
EVERYTHING = "files = { pdf = true, attachments = true }"


def profile(folder: Path, files: str = EVERYTHING, *, routes: Sequence[str] = (ORDERS, INVOICES)) -> str:
    """A copy of the shipped profile whose routes ask for files."""
    text = (resources.files("connector.profiles") / "source_to_pay.toml").read_text("utf-8")
    for route in routes:
        assert f"[routes.{route}]\n" in text
        text = text.replace(f"[routes.{route}]\n", f"[routes.{route}]\n{files}\n", 1)
    path = folder / "with_files.toml"
    path.write_text(text, "utf-8")
    return str(path)


def pipeline(folder: Path, files: str = EVERYTHING, *, seed: int = 1, orders: int = 4, invoices: int = 6) -> Pipeline:
    """A connector that carries files, on a part of the sample."""
    made = Pipeline(
        data=some(orders=orders, invoices=invoices)[:1], settings={"PROFILE": profile(folder, files)}, seed=seed
    )
    made.servicenow.access.grant(CONNECTOR_USER, WRITER)
    return made


def carried(folder: Path, files: str = "", **more: int) -> Pipeline:
    """A connector that has carried everything, with two more files than the sample has."""
    there = pipeline(folder, files, **more) if files else pipeline(folder, **more)
    put(there, ORDERS, "106001", "terms.txt", b"Net 30")
    put(there, INVOICES, "108003", "scan.png", b"\x89PNG\x00", kind="attachments")
    there.run()
    return there


def put(
    there: Pipeline, entity: str, number: str, name: str, data: bytes = b"a note", *, kind: str = "documentAttachments"
) -> str:
    """Attaches a file to a document in BC through its API, as a user's add-in does; the document itself does not move."""
    bc = there.business_central
    (company,) = (one for one in there.landscape.data if one.name == US)
    probe = Probe(bc, company.id)
    document = bc.document(US, number, entity=entity)
    made = probe.send("POST", f"{entity}({document.id})/{kind}", {"fileName": name})
    assert made.status_code == 201, made.text
    sent = probe.client.patch(
        made.json()["attachmentContent@odata.mediaEditLink"], content=data, headers={"If-Match": "*"}
    )
    assert sent.status_code == 204, sent.text
    return str(made.json()["id"])


def company_of(there: Pipeline) -> CompanyState:
    """The company's records inside BC."""
    return there.business_central._company(US)


def tell_size(there: Pipeline, id_: str, size: int) -> None:
    """From now on BC says that an attached file has so many bytes."""
    company_of(there).sets["documentAttachments"][id_].values["byteSize"] = size


def attached(there: Pipeline, entity: str, number: str) -> dict[str, bytes]:
    """What the document's record in ServiceNow has attached, by name; a name that is there twice fails."""
    state = there.states()[there.find(US, number, entity=entity)]
    store = there.servicenow.tables
    rows = files_of(store, state.sys_id)
    assert {row["table_name"] for row in rows} <= {TARGETS[entity]}
    names = Counter(row["file_name"] for row in rows)
    assert max(names.values(), default=1) == 1, names
    return {row["file_name"]: content(store, row["sys_id"]) for row in rows}


def expected(there: Pipeline, entity: str, number: str) -> dict[str, bytes]:
    """What must be attached, from the records of BC; files of one name only."""
    document = there.business_central.document(US, number, entity=entity)
    state, found = company_of(there), {}
    for kind in ("attachments", "documentAttachments"):
        for record in state.all_of(kind):
            if record.values["parentId"] == document.id:
                found[str(record.values["fileName"])] = state.files[f"{record.id}/attachmentContent"]
    if entity == ORDERS or document.header["status"] not in ("Draft", "In Review"):
        found[f"{number}.pdf"] = printed(state.sets[entity][document.id])
    return found


def everywhere(there: Pipeline) -> list[tuple[str, str]]:
    """Entity and number of every document that is to be carried."""
    return [
        (entity, document.number)
        for entity in (ORDERS, INVOICES)
        for document in there.landscape.data[0].documents[entity]
        if there.business_central.document(US, document.number, entity=entity).header["status"] in ("Open", "Paid")
        and document.number not in NOT_CARRIED
    ]


def assert_files_are_there_once(there: Pipeline) -> None:
    """Every carried document has all its files in ServiceNow, each once and to the byte."""
    for entity, number in everywhere(there):
        assert attached(there, entity, number) == expected(there, entity, number), (entity, number)


def uploads(there: Pipeline, *, since: int = 0) -> list[str]:
    """The paths of the uploads that were sent."""
    return [sent.path for sent in there.wire.to(SN_HOST, method="POST", since=since) if sent.path == UPLOAD]


def rows_sent(there: Pipeline) -> int:
    """How many requests brought rows to ServiceNow."""
    return sum(sent.path == ROWS for sent in there.wire.to(SN_HOST, method="POST"))


def send_again(there: Pipeline, entity: str, number: str, origin: Origin = Origin.REPLAY) -> None:
    """Sends a document once more, as an operator does, and works it."""
    state = there.states()[there.find(US, number, entity=entity)]
    reference = Reference(state.id, state.seen, state.generation)
    there.queues.send("documents", Unit("us", Entity(entity), origin, "once more", (reference,)).encode())
    there.drain()


def trail(there: Pipeline, entity: str, number: str) -> list[tuple[str, dict[str, Any]]]:
    """What happened to a document: actions and details."""
    events = there.trail(US, there.find(US, number, entity=entity), entity=entity)
    return [(event.action, json.loads(event.detail)) for event in events]


def status(there: Pipeline, entity: str, number: str) -> Status:
    """Where a document stands."""
    return there.states()[there.find(US, number, entity=entity)].status

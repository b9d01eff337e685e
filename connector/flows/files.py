"""Files: once a document's rows are in ServiceNow, its print and its attachments follow, one file at a time.

The rows are on record by then, so whatever goes wrong from here on concerns the files alone: the document comes back, no row is
sent again, and what is attached already is found by looking. A file lies on this machine only while it is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from connector.decisions.files import Shelf, clean_name, fingerprint, print_of
from connector.decisions.findings import Finding, warn
from connector.decisions.instance_findings import attachments_finding
from connector.errors import Ambiguous, DocumentFault, Outage, Reason, Unfinished
from connector.flows.courtesy import asking_business_central
from connector.flows.outcomes import Outcomes
from connector.flows.parts import Parts
from connector.model.documents import Document
from connector.model.files import Attached, File
from connector.model.profile import Files
from connector.model.units import Unit
from connector.remote.spool import Spool, TooLarge
from connector.servicenow.attachments import FileRefused, RecordClosed, is_record
from connector.servicenow.session import SYSTEM
from connector.setting_words import Company

DOCUMENTS_A_TIME = 20
MOST_CLOSED = 3
"""Records that refuse files, none having taken one, after which the others of a run are not tried."""
LISTED = 50
"""Names that an event tells, at most."""


def attach_files(
    parts: Parts,
    unit: Unit,
    company: Company,
    outcomes: Outcomes,
    documents: Sequence[Document],
    may_go_on: Callable[[], bool],
) -> None:
    """Gives each of the documents that has no outcome yet its files, and then its outcome. `may_go_on` is asked before each
    request that takes long. Raises `Outage`: what has no outcome then must come back."""
    rules = parts.profile.routes[unit.entity.value].files
    if rules is None:
        return
    still_open = set(outcomes.open_ids())
    waiting = [document for document in documents if document.id in still_open]
    # Where it begins is left to chance, so that no document is behind the same others every time.
    first = int(parts.randomness.uniform(0.0, len(waiting)))
    waiting = waiting[first:] + waiting[:first]
    round_ = _Round(parts, unit, company, outcomes, rules, may_go_on)
    try:
        for start in range(0, len(waiting), DOCUMENTS_A_TIME):
            round_.work(waiting[start : start + DOCUMENTS_A_TIME])
            outcomes.flush()
    finally:
        round_.tell()
    left = still_open.intersection(outcomes.open_ids(), (document.id for document in waiting))
    outcomes.rescheduled(sorted(left), Unfinished(SYSTEM, "the files of this document are still to follow"))


def check_files(parts: Parts) -> Iterator[Finding]:
    """What `check` says of attachments, where a route asks for files. Reads only."""
    if not any(route.files for route in parts.profile.routes.values()):
        return
    try:
        yield attachments_finding(parts.attachments.access())
    except Outage as outage:
        remedy = "Look again later; if it stays so, check the user's credentials and rights."
        yield warn("SN_ATTACHMENTS_DOWN", "sys_attachment", str(outage)[:300], remedy)


class _Round:
    """The files of one unit run. `count`, `size`: files and bytes attached so far."""

    def __init__(
        self,
        parts: Parts,
        unit: Unit,
        company: Company,
        outcomes: Outcomes,
        rules: Files,
        may_go_on: Callable[[], bool],
    ) -> None:
        self._parts = parts
        self._unit = unit
        self._company = company
        self._outcomes = outcomes
        self._rules = rules
        self._may_go_on = may_go_on
        self._closed = 0
        self.count = 0
        self.size = 0

    def work(self, documents: Sequence[Document]) -> None:
        """Gives these documents their files; those it does not get to keep no outcome."""
        if not documents or not self._may_go_on():
            return
        unsettled = []
        for document, files in self._listed(documents):
            state = self._outcomes.state(document.id)
            if state.files == fingerprint(files):
                self._outcomes.with_files(document.id, state.files, {}, staged=False)
            elif files and not is_record(state.target, state.sys_id):
                # Without the hash the next try sends the rows again, and their answer may name the record.
                self._outcomes.parked(document.id, [_no_record(state.target)], payload_hash="")
            else:
                unsettled.append((document, files))
        records = [self._outcomes.state(document.id).sys_id for document, files in unsettled if files]
        present: Mapping[str, Sequence[Attached]] = {}
        if records and self._may_go_on():
            present = self._parts.attachments.of(records)
        for document, files in unsettled:
            sys_id = self._outcomes.state(document.id).sys_id
            if not files or sys_id in present:
                self._settle(document, files, present.get(sys_id, ()))

    def tell(self) -> None:
        """Says how much was attached."""
        if self.count:
            self._parts.telemetry.event(
                "attached",
                company=self._company.key,
                entity=self._unit.entity.value,
                correlation=self._unit.correlation,
                count=self.count,
                size=self.size,
            )

    def _listed(self, documents: Sequence[Document]) -> list[tuple[Document, list[File]]]:
        """The documents with their files in BC; those whose list BC cannot deliver have their outcome afterwards."""
        prints = {one.id: [] if (made := print_of(one)) is None or not self._rules.pdf else [made] for one in documents}
        if not self._rules.attachments:
            return [(one, prints[one.id]) for one in documents]
        with asking_business_central(self._parts):
            listing = self._parts.files.attached(
                self._company, self._unit.entity, [one.id for one in documents], may_go_on=self._may_go_on
            )
        for id_, fault in listing.faults.items():
            self._outcomes.parked(id_, fault.reasons)
        found = [one for one in documents if one.id in listing.files]
        return [(one, [*prints[one.id], *listing.files[one.id]]) for one in found]

    def _settle(self, document: Document, files: Sequence[File], present: Sequence[Attached]) -> None:
        shelf, before = Shelf(present), self.count
        reasons: list[Reason] = []
        try:
            for file in shelf.missing(files):
                try:
                    if not self._carry(document, file, shelf):
                        return  # no time is left
                except TooLarge:
                    reasons.append(_too_large(file, self._rules.max_bytes))
                except FileRefused as refused:
                    reasons.append(_refused(file, refused.words))
                except DocumentFault as fault:
                    reasons += fault.reasons
        except (Ambiguous, RecordClosed) as outage:
            # The matter of this record; the others go on, unless it looks as if no record could be written.
            self._closed += isinstance(outage, RecordClosed)
            if self._closed == MOST_CLOSED and not self.count:
                raise
            self._outcomes.rescheduled([document.id], outage)
            return
        if reasons:
            self._outcomes.parked(document.id, reasons)
            return
        names, attached = [clean_name(file.name) for file in files], self.count - before
        detail = {"files": names[:LISTED], "attached": attached} if names else {}
        self._outcomes.with_files(document.id, fingerprint(files), detail, staged=attached > 0)

    def _carry(self, document: Document, file: File, shelf: Shelf) -> bool:
        """Carries one file from BC to ServiceNow; False when there is no time for it. An empty file is nothing to carry."""
        state = self._outcomes.state(document.id)
        if file.size is not None and file.size > self._rules.max_bytes:
            raise TooLarge(f"{file.size} bytes")
        with Spool(self._rules.max_bytes) as spool:
            if not self._may_go_on():
                return False
            with asking_business_central(self._parts):
                self._parts.files.read(self._company, self._unit.entity, document.id, file, spool)
            # BC's word on the size may be wrong; then only the file itself tells whether it is there.
            if spool.size == 0 or (spool.size != file.size and shelf.holds(replace(file, size=spool.size))):
                return True
            if not self._may_go_on():
                return False
            self._parts.attachments.attach(state.target, state.sys_id, shelf.place(file), spool)
            self.count += 1
            self.size += spool.size
        return True


def _too_large(file: File, most: int) -> Reason:
    return Reason(
        "ATTACHMENT_TOO_LARGE",
        f"The file {clean_name(file.name)} has {file.size or 'more'} bytes; the profile allows {most}.",
        "Raise max_bytes in the profile's files, or make the file smaller or remove it in BC, then replay.",
    )


def _refused(file: File, words: str) -> Reason:
    return Reason(
        "ATTACHMENT_REFUSED",
        f"ServiceNow refuses the file {clean_name(file.name)}: {words}"[:500],
        "Allow such files in ServiceNow (glide.attachment.extensions, com.glide.attachment.max_size), or change or remove the "
        "file in BC, then replay.",
    )


def _no_record(target: str) -> Reason:
    return Reason(
        "RECORD_UNKNOWN",
        f"ServiceNow did not say which record of {target or 'its tables'} this document became, so no file can be attached.",
        "Leave files out of the profile for this route, or use a door whose answers name the record, then replay.",
    )

"""Which pages a customer has published as web services, under which names, and how their pages differ from Microsoft's.

Source: the page "Web Services" of the application and "Publish a web service". Nothing is published by itself: names are the
customer's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.page_fields import PageField
from tests.sandbox.business_central.page_layouts import MODIFIED_STAMP
from tests.sandbox.business_central.page_services import PAGES, PageService
from tests.sandbox.business_central.records import Row
from tests.sandbox.business_central.store import Record


@dataclass
class PageServices:
    """The published page services; every value is a switch that may be changed at any time.

    `published`: service name to page number, or to a service of one's own. `changed_fields`: by service name (or the name of
    its lines, such as ``PurchaseOrderPurchLines``) fields that a customer has renamed, or hidden with a blank new name; a key
    cannot be hidden. `broken`: ids or numbers of records whose page trigger misses a vendor: whatever reads one fails.
    `modified_stamps`: whether the pages of documents and vendors show ``SystemModifiedAt``; Microsoft's do not, a customer's
    own may, but no table has the value before version 17. `tags_without_flow_fields` and `tags_without_outside_fields`: the
    services that leave such fields out of their ETags.
    """

    published: dict[str, int | PageService] = field(
        default_factory=lambda: {service.name: service.page for service in PAGES.values()}
    )
    changed_fields: dict[str, Mapping[str, str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    modified_stamps: bool = False
    tags_without_flow_fields: set[str] = field(default_factory=set)
    tags_without_outside_fields: set[str] = field(default_factory=set)

    def service(self, name: str) -> PageService | None:
        """The page published under this very name, as this customer has it."""
        page = self.published.get(name)
        base = PAGES.get(page) if isinstance(page, int) else page
        if base is None:
            return None
        service = replace(base, name=name)
        fields = base.fields
        if self.modified_stamps and base.entity in _STAMPED:
            fields += MODIFIED_STAMP
        renamed = self.changed_fields.get(name, {})
        lines = base.lines
        if lines is not None and service.lines_name in self.changed_fields:
            changes = self.changed_fields[service.lines_name]
            lines = replace(lines, fields=_changed(lines.fields, lines.key, changes), key=_key(lines.key, changes))
        return replace(service, fields=_changed(fields, base.key, renamed), key=_key(base.key, renamed), lines=lines)

    def services(self) -> list[PageService]:
        """All published pages in the order of their publication."""
        found = [self.service(name) for name in self.published]
        return [service for service in found if service is not None]

    def check_whole(self, records: Iterable[Record]) -> None:
        """Passes unless one of the records cannot be shown, else raises `Refusal`: the whole answer fails."""
        for record in records:
            owner = record.parent or record
            if self.broken and not self.broken.isdisjoint({owner.id, _number(owner.values)}):
                raise _missing_vendor(owner.values)


_STAMPED = frozenset({"purchaseOrders", "purchaseInvoices", "vendors"})


def _changed(fields: tuple[PageField, ...], key: tuple[str, ...], changes: Mapping[str, str]) -> tuple[PageField, ...]:
    return tuple(
        replace(each, name=changes.get(each.name) or each.name)
        for each in fields
        if changes.get(each.name, each.name) or each.name in key
    )


def _key(key: tuple[str, ...], changes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(changes.get(name) or name for name in key)


def _number(values: Row) -> str:
    return str(values.get("number", values.get("code", "")))


def _missing_vendor(values: Row) -> Refusal:
    vendor = values.get("vendorNumber", _number(values))
    return Refusal(
        404,
        "Internal_RecordNotFound",
        f"The Vendor does not exist. Identification fields and values: No.='{vendor}'",
    )

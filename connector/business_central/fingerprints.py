"""The reader of fingerprints: one hash for all the lines of each order, from the analytics query ``purchaseLines``.

The query gives the lines of all orders in a few pages. Their dimensions are not spelled out: it has the number of the
combination, which changes when any of them does. It knows lines of items, G/L accounts and resources, not charges, fixed
assets or comments, and no unit of measure. Source: the public app "Power BI Reports", query Purchase Lines; it is there on
versions that have that app.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from connector.business_central.odata import guid, query
from connector.business_central.session import SYSTEM, BusinessCentralSession, PageBroken
from connector.errors import Outage, Refused
from connector.model.documents import Document
from connector.setting_words import Company

ANALYTICS = "microsoft/analytics/v1.0"
PAGE = 20_000
SEEN = frozenset({"Item", "Account", "Resource", "Comment"})
"""Line types whose edits change the fingerprint, or (comments) are not carried."""
NO_LINES = hashlib.sha256(b"[]").hexdigest()
_COLUMNS = (
    "documentNo,lineNo,type,itemNo,description,locationCode,quantityBase,unitCostLCY,expectedReceiptDate,dimensionSetID"
)
_DIMENSIONS = "shortcutDimension1Code,shortcutDimension2Code"


class FingerprintReader:
    """Reads the fingerprints of a company's orders."""

    def __init__(self, session: BusinessCentralSession) -> None:
        self._session = session

    def read(self, company: Company) -> Mapping[str, str] | None:
        """The fingerprint by order number; None where they cannot be had or would not show a change of the cost centre.

        A header's dimension that is not one of the two global ones is neither stamped nor in the lines: then there is nothing
        cheap to go by. Raises `Outage` when BC cannot serve.
        """
        try:
            if company.cost_centre_dimension not in self._global_dimensions(company):
                return None
            return self._prints(company)
        except Refused:
            return None
        except (PageBroken, KeyError, TypeError) as error:
            raise Outage(SYSTEM, f"the analytics query of purchase lines cannot be read ({error})") from error

    def _global_dimensions(self, company: Company) -> set[str]:
        path = f"companies({guid(company.id)})/generalLedgerSetup?{query(select=_DIMENSIONS)}"
        rows = [row for page in self._session.pages(path, page_size=1) for row in page.rows]
        return {str(row[name]) for row in rows for name in _DIMENSIONS.split(",")}

    def _prints(self, company: Company) -> dict[str, str]:
        path = f"companies({guid(company.id)})/purchaseLines?{query(filter=_ORDERS, select=_COLUMNS)}"
        lines: dict[str, list[Sequence[object]]] = {}
        names = _COLUMNS.split(",")
        for page in self._session.pages(path, page_size=PAGE, api=ANALYTICS):
            for row in page.rows:
                lines.setdefault(str(row["documentNo"]), []).append([row["lineNo"], *(row[name] for name in names[2:])])
        return {number: _hash(found) for number, found in lines.items()}


_ORDERS = "purchaseLineDocumentType eq 'Order'"


def _hash(lines: list[Sequence[object]]) -> str:
    ordered = sorted([str(value) for value in line] for line in lines)
    return hashlib.sha256(json.dumps(ordered, separators=(",", ":")).encode()).hexdigest()


def shown_by_fingerprint(document: Document) -> bool:
    """Whether every edit of the document's lines that matters shows in its fingerprint."""
    return all(line.type in SEEN for line in document.lines)

"""The entity sets of the extension in infra/business-central, property by property as its API pages show them."""

from __future__ import annotations

from dataclasses import replace

from tests.sandbox.business_central.api_sets import CUSTOM_VALUES
from tests.sandbox.business_central.entities import EntitySet, declared

DOCUMENT_TYPES = "Quote|Order|Invoice|Credit Memo|Blanket Order|Return Order"
_CHANGE = declared(f"""
    id guid ro; rowVersion long ro; documentId guid ro; lineId guid ro; documentType enum({DOCUMENT_TYPES}) ro
    documentNumber text(20) ro; lineNumber int ro; lastModifiedDateTime datetime ro
""")

# The page does not allow deleting, which a set of this kind otherwise does.
VALUES = replace(CUSTOM_VALUES)

MAPPINGS = EntitySet(
    name="costCentreMappings",
    type_name="costCentreMapping",
    caption="Cost Centre Mapping",
    properties=declared("""
        id guid ro; dimensionCode text(20); code text(20); costCentreSysId text(32); accountNumber text(40)
        status text(20); checkedAt datetime; run text(50); lastModifiedDateTime datetime ro
    """),
)
CHANGES = EntitySet(
    name="purchaseChanges",
    type_name="purchaseChange",
    caption="Purchase Header",
    writable=False,
    properties=_CHANGE,
)
LINE_CHANGES = EntitySet(
    name="purchaseLineChanges",
    type_name="purchaseLineChange",
    caption="Purchase Line",
    writable=False,
    properties=_CHANGE,
)
DELETED = EntitySet(
    name="deletedPurchaseRecords",
    type_name="deletedPurchaseRecord",
    caption="Deleted Purchase Record",
    writable=False,
    properties=declared(f"""
        id guid ro; entryNumber long ro; rowVersion long ro; documentId guid ro; lineId guid ro
        documentType enum({DOCUMENT_TYPES}) ro; documentNumber text(20) ro; lineNumber int ro; deletedAt datetime ro
        lastModifiedDateTime datetime ro
    """),
)
# From a temporary table, hence without webhooks.
STATES = EntitySet(
    name="changeFeedStates",
    type_name="changeFeedState",
    caption="Change Feed State",
    writable=False,
    properties=declared("id guid ro; minimumActiveRowVersion long ro; lastUsedRowVersion long ro"),
)
FEEDS = (CHANGES, LINE_CHANGES, DELETED)
"""These come in the order of their row versions, unless another order is asked for."""

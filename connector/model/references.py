"""References: the master data that documents refer to, as far as validation asks for it.

Each kind is a mapping from the code as it stands in a document to what is known of it; a code that is not in the mapping does
not exist. What a system does not tell is None, and is not held against a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class ValueFacts:
    """A dimension value of BC. `type`: Standard, Heading, Total, Begin-Total or End-Total."""

    type: str | None = None
    blocked: bool | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """A G/L account of BC. `type`: Posting, Heading, Total, Begin-Total or End-Total."""

    type: str
    direct_posting: bool
    blocked: bool


DimensionRule = Literal["mandatory", "same", "none"]


@dataclass(frozen=True, slots=True)
class DefaultDimension:
    """What BC demands of a vendor's documents in one dimension: any value (`mandatory`), this very `value` (`same`; "" means
    that there must be none), or none at all (`none`)."""

    dimension: str
    value: str
    rule: DimensionRule


@dataclass(frozen=True, slots=True)
class VendorFacts:
    """A vendor of BC. `blocked`: "", Payment or All."""

    blocked: str
    defaults: tuple[DefaultDimension, ...] = ()


@dataclass(frozen=True, slots=True)
class PostingWindow:
    """The days on which BC allows posting, both included; None: no limit on that side."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class CostCentreFacts:
    """A cost centre of ServiceNow. `available`: whether it is open for use; the days of its validity include both."""

    valid_from: date | None = None
    valid_to: date | None = None
    available: bool | None = None


@dataclass(frozen=True, slots=True)
class References:
    """What is known of everything some documents refer to.

    `dimensions`: the codes of all dimensions; `values` by dimension and value; `accounts` by number; `vendors` by number;
    `cost_centres` by the code that ServiceNow's staging tables find them with, all that share it.
    """

    dimensions: frozenset[str] = frozenset()
    values: Mapping[tuple[str, str], ValueFacts] = field(default_factory=dict)
    accounts: Mapping[str, AccountFacts] = field(default_factory=dict)
    vendors: Mapping[str, VendorFacts] = field(default_factory=dict)
    window: PostingWindow = PostingWindow()
    cost_centres: Mapping[str, tuple[CostCentreFacts, ...]] = field(default_factory=dict)

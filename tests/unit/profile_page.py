"""The page on profiles: its examples, each laid over the shipped profile it names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from connector.model.profile import Profile

PAGE = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")


def shipped(name: str) -> dict[str, Any]:
    """A shipped profile as it stands in its file."""
    return tomllib.loads((resources.files("connector.profiles") / f"{name}.toml").read_text("utf-8"))


def examples() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The page's complete examples: the profile each is for, and what it says."""
    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        named = re.match(r"# profile: (\w+)\n", block)
        if named:
            yield named[1], tomllib.loads(block)


def laid_over(name: str, *changes: Mapping[str, Any]) -> Profile:
    """A shipped profile with these changes."""
    content = shipped(name)
    for change in changes:
        content = _merged(content, change)
    return Profile.model_validate(content)


def with_taxes(name: str) -> Profile:
    """A shipped profile with the page's tax table for invoices, and the same for credit memos."""
    (taxes,) = (change for _, change in examples() if "removed_tax" in str(change))
    route = taxes["routes"]["purchaseInvoices"]
    return laid_over(name, taxes, {"routes": {"purchaseCreditMemos": route}})


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        inside = merged.get(key)
        merged[key] = _merged(inside, value) if isinstance(inside, dict) and isinstance(value, Mapping) else value
    return merged

"""Fixtures that every kind of test shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox import emulator


@pytest.fixture(scope="session")
def azurite() -> Iterator[emulator.Azurite]:
    """The storage emulator, one for the session: use queue and table names of your own."""
    with emulator.azurite() as running:
        yield running

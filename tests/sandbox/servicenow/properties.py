"""The instance's system properties, as the rows of sys_properties hold them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.sandbox.servicenow.store import Store


@dataclass
class Properties:
    """Reads and sets properties; an absent one has the default of whoever asks."""

    store: Store

    def text(self, name: str, default: str = "") -> str:
        """The value."""
        rows = self.store.find("sys_properties", {"name": name})
        return rows[0]["value"] if rows else default

    def on(self, name: str, *, default: bool = False) -> bool:
        """The value as a switch."""
        return self.text(name, "true" if default else "false").strip().casefold() == "true"

    def number(self, name: str, default: int) -> int:
        """The value as a whole number; the default when it is none."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() else default

    def set(self, name: str, value: str) -> None:
        """Creates or changes a property."""
        with self.store.lock:
            rows = self.store.find("sys_properties", {"name": name})
            if rows:
                self.store.update("sys_properties", rows[0]["sys_id"], {"value": value})
            else:
                self.store.insert("sys_properties", {"name": name, "value": value})

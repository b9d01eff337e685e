"""The secrets of the webhook address, all derived from one key: the address's unguessable part, and each subscription's
``clientState``, the only thing that tells a notification of Business Central from one that anybody sent.

A ``clientState`` belongs to one company's feed, so that nobody who learns one can speak for another. Keys are given in order,
the present one first; while a key is being replaced the one before it is accepted as well.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def path_part(key: bytes) -> str:
    """The last part of the webhook address."""
    return _mac(key, "path")


def client_state(key: bytes, company_id: str, feed: str) -> str:
    """What the subscription of this company's feed carries. 64 characters; NAV 2018 takes 250, later versions 2048."""
    return _mac(key, f"subscription|{company_id.lower()}|{feed}")


def known_path(given: str, keys: Sequence[bytes]) -> bool:
    """Whether the address belongs to one of the keys, in constant time."""
    return _any_equal(given, [path_part(key) for key in keys])


def authentic(given: object, keys: Sequence[bytes], company_id: str, feed: str) -> bool:
    """Whether this is the ``clientState`` of that company's feed, in constant time for texts of any content."""
    text = given if isinstance(given, str) else ""
    return _any_equal(text, [client_state(key, company_id, feed) for key in keys]) and text is given


def _any_equal(given: str, wanted: Sequence[str]) -> bool:
    encoded = given.encode("utf-8", "surrogatepass")
    # All are compared, so that the time does not tell which key it was.
    return any([hmac.compare_digest(encoded, one.encode()) for one in wanted])


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

"""The content hash: equal if and only if nothing of a document that is read differs, whatever its stamp says.

Business Central does not stamp a document when a line's dimension, location or description changes; comparing contents finds
such edits.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from connector.model.documents import Document


def content_hash(document: Document) -> str:
    """SHA-256 over everything but the stamp, hexadecimal."""
    fields = asdict(document)
    del fields["modified"]
    return hashlib.sha256(json.dumps(fields, default=str, separators=(",", ":")).encode()).hexdigest()

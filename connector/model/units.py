"""What travels in the queues: units of references and poll requests on the documents queue, parked notes on the poison queue.

A message never holds a document, only where to find it, so it cannot go stale, leak or outgrow a queue.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.stamps import NEVER, parse_stamp, stamp_text

MAX_REFERENCES = 200
MAX_MESSAGE_BYTES = 32 * 1024
VERSION = 1
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Origin(StrEnum):
    """Why a document is looked at."""

    POLL = "poll"
    NOTIFICATION = "notification"
    BACKFILL = "backfill"
    SWEEP = "sweep"
    RETRY = "retry"
    RESCUE = "rescue"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Reference:
    """A document that may have changed: its id, the stamp at which it was seen, the generation it belongs to.

    The generation grows when a document is parked or discarded; a message of an older generation is void.
    """

    id: str
    seen: datetime
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """Up to 200 references of one company and entity, worked on together; outcomes are per document."""

    company: str
    entity: Entity
    origin: Origin
    correlation: str
    references: tuple[Reference, ...]

    def encode(self) -> str:
        """The message text, at most 32 KiB."""
        text = json.dumps(
            {
                "v": VERSION,
                "company": self.company,
                "entity": self.entity.value,
                "origin": self.origin.value,
                "correlation": self.correlation,
                "references": [[ref.id, stamp_text(ref.seen), ref.generation] for ref in self.references],
            },
            separators=(",", ":"),
        )
        if not 1 <= len(self.references) <= MAX_REFERENCES or len(text.encode()) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a unit holds 1 to {MAX_REFERENCES} references in {MAX_MESSAGE_BYTES} bytes")
        return text


def decode_unit(text: str) -> Unit:
    """The unit in a message; a parked note that somebody put back by hand is a unit of one, to be replayed.

    Raises ValueError for anything else; never raises another error.
    """
    try:
        body = json.loads(text)
        if type(body["v"]) is not int or body["v"] != VERSION:
            raise ValueError(f"message version {body['v']!r} is not {VERSION}")
        if "parked" in body:
            reference = _reference([body["parked"], stamp_text(NEVER), body["generation"]])
            company, entity = _text(body["company"]), Entity(body["entity"])
            return Unit(company, entity, Origin.REPLAY, f"replay-{reference.id}", (reference,))
        references = tuple(_reference(row) for row in body["references"])
        if not 1 <= len(references) <= MAX_REFERENCES:
            raise ValueError("a unit holds 1 to 200 references")
        return Unit(
            company=_text(body["company"]),
            entity=Entity(body["entity"]),
            origin=Origin(body["origin"]),
            correlation=_text(body["correlation"]),
            references=references,
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a unit: {type(error).__name__}") from error


def _reference(row: Any) -> Reference:
    identifier, seen, generation = row
    if isinstance(generation, bool) or not isinstance(generation, int) or generation < 0:
        raise ValueError("generation is a whole number")
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise ValueError("an id is a GUID in lower case")
    return Reference(identifier, parse_stamp(_text(seen)), generation)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 512 or not value.isprintable():
        raise ValueError("printable text of 1 to 512 characters expected")
    return value


def units(company: str, entity: Entity, origin: Origin, correlation: str, references: list[Reference]) -> list[Unit]:
    """The references, in order, as units of at most 200."""
    return [
        Unit(company, entity, origin, correlation, tuple(references[start : start + MAX_REFERENCES]))
        for start in range(0, len(references), MAX_REFERENCES)
    ]


@dataclass(frozen=True, slots=True)
class PollRequest:
    """Asks for a poll of one feed of one company now: a notification told of more than it names, or the timer stands still."""

    company: str
    feed: Feed

    def encode(self) -> str:
        """The message text."""
        body = {"v": VERSION, "poll": self.feed.value, "company": self.company}
        return json.dumps(body, separators=(",", ":"))


def message_text(body: bytes) -> str:
    """What a message of the documents queue says. On the wire it is base64, or plain text as a person may have put it there.

    The Functions host leaves the decoding to us (host.json): it would try a message it cannot decode again and again, and
    move it away without a word on record. What is no base64 of UTF-8 text stays as it is, so that nothing of it is lost.
    """
    text = body.decode("utf-8", "replace")
    try:
        return base64.b64decode(text.strip(), validate=True).decode("utf-8")
    except ValueError:
        return text


def decode_message(text: str) -> Unit | PollRequest:
    """What a message of the documents queue asks for. Raises ValueError for a foreign one; never raises another error."""
    try:
        body = json.loads(text)
        if isinstance(body, dict) and "poll" in body and body.get("v") == VERSION:
            return PollRequest(_text(body["company"]), Feed(body["poll"]))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a message of ours: {type(error).__name__}") from error
    return decode_unit(text)


@dataclass(frozen=True, slots=True)
class ParkedNote:
    """The small message that waits on the poison queue for each parked document."""

    company: str
    entity: Entity
    id: str
    generation: int

    def encode(self) -> str:
        """The message text."""
        return json.dumps(
            {
                "v": VERSION,
                "parked": self.id,
                "company": self.company,
                "entity": self.entity.value,
                "generation": self.generation,
            },
            separators=(",", ":"),
        )

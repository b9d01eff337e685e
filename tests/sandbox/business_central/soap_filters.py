"""Filters in the application's own syntax, as ``Criteria`` of a ReadMultiple: ranges, alternatives, comparisons, wildcards.

Source: "Entering criteria in filters" of the application help. ``&`` binds stronger than ``|``; brackets group; what stands in
single quotes is taken as it is, doubled quotes inside stand for one; ``''`` is blank; ``@`` ignores case; ``*`` is any text and
``?`` any character. Options are named by their captions or positions, days in ISO form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from tests.sandbox.business_central.entities import BLANKS, Kind

Test = Callable[[Any], bool]
_OPERATORS = ("<>", "<=", ">=", "<", ">", "=")
_PIECE = re.compile(r"(?P<quoted>'(?:[^']|'')*')|(?P<sign>\.\.|<>|<=|>=|[<>=|&()])|(?P<text>(?:(?!\.\.)[^'|&()<>=])+)")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


class BadFilter(ValueError):
    """The text is no filter for values of this kind."""


@dataclass(frozen=True)
class _Piece:
    """A sign of the syntax, or a stretch of plain or quoted text."""

    text: str
    sign: bool = False
    quoted: bool = False


def matcher(criteria: str, kind: Kind, options: Sequence[str] = (), *, code: bool = False) -> Test:
    """The test that the filter puts to a raw value of the kind, or `BadFilter`; `code`: the field holds upper-case codes."""
    return _Reader(_pieces(criteria), kind, options, code=code).whole()


def _pieces(criteria: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    position = 0
    while position < len(criteria):
        match = _PIECE.match(criteria, position)
        if match is None:
            raise BadFilter("A quotation mark is not closed.")
        if match["quoted"] is not None:
            pieces.append(_Piece(match["quoted"][1:-1].replace("''", "'"), quoted=True))
        elif match["sign"] is not None:
            pieces.append(_Piece(match["sign"], sign=True))
        else:
            pieces.append(_Piece(match["text"]))
        position = match.end()
    return pieces


class _Reader:
    """Reads pieces from left to right."""

    def __init__(self, pieces: list[_Piece], kind: Kind, options: Sequence[str], *, code: bool) -> None:
        self._pieces = pieces
        self._position = 0
        self._kind = kind
        self._options = options
        self._code = code

    def whole(self) -> Test:
        """The test of all pieces; an empty filter passes everything."""
        if not self._pieces:
            return lambda _: True
        test = self._any()
        if self._position < len(self._pieces):
            _unexpected(self._pieces[self._position].text)
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("|"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("&"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)

    def _one(self) -> Test:
        if self._take("("):
            test = self._any()
            if not self._take(")"):
                raise BadFilter("A bracket is not closed.")
            return test
        for operator in _OPERATORS:
            if self._take(operator):
                return self._compared(operator, self._operand())
        first = self._operand()
        if not self._take(".."):
            return self._compared("=", first)
        last = self._operand()
        if not first and not last:
            raise BadFilter("A range needs an end.")
        low = self._bound(first) if first else None
        high = self._bound(last) if last else None
        return lambda value: (
            (low is None or self._comparable(value) >= low) and (high is None or self._comparable(value) <= high)
        )

    def _operand(self) -> list[_Piece]:
        operand = []
        while self._position < len(self._pieces) and not self._pieces[self._position].sign:
            operand.append(self._pieces[self._position])
            self._position += 1
        if all(not piece.quoted and not piece.text.strip() for piece in operand):
            return []
        # Blanks around plain text are no part of it.
        if not operand[0].quoted:
            operand[0] = _Piece(operand[0].text.lstrip())
        if not operand[-1].quoted:
            operand[-1] = _Piece(operand[-1].text.rstrip())
        return [piece for piece in operand if piece.text or piece.quoted]

    def _take(self, sign: str) -> bool:
        if self._position < len(self._pieces) and self._pieces[self._position] == _Piece(sign, sign=True):
            self._position += 1
            return True
        return False

    def _compared(self, operator: str, operand: list[_Piece]) -> Test:
        if not operand:
            raise BadFilter("A value is missing.")
        if operator in {"=", "<>"}:
            equal = self._equal(operand)
            return equal if operator == "=" else lambda value: not equal(value)
        bound = self._bound(operand)
        if operator == "<":
            return lambda value: bool(self._comparable(value) < bound)
        if operator == "<=":
            return lambda value: bool(self._comparable(value) <= bound)
        if operator == ">":
            return lambda value: bool(self._comparable(value) > bound)
        return lambda value: bool(self._comparable(value) >= bound)

    def _equal(self, operand: list[_Piece]) -> Test:
        plain = "".join(piece.text for piece in operand if not piece.quoted)
        any_case = not operand[0].quoted and operand[0].text.startswith("@")
        if self._kind == "text" and (any_case or "*" in plain or "?" in plain):
            return self._pattern(operand, any_case=any_case or self._code)
        wanted = self._bound(operand)
        return lambda value: bool(self._comparable(value) == wanted)

    def _pattern(self, operand: list[_Piece], *, any_case: bool) -> Test:
        text = ""
        for place, piece in enumerate(operand):
            part = piece.text[1:] if place == 0 and piece.text.startswith("@") and not piece.quoted else piece.text
            text += re.escape(part) if piece.quoted else re.escape(part).replace(r"\*", ".*").replace(r"\?", ".")
        pattern = re.compile(text, re.DOTALL | (re.IGNORECASE if any_case else re.NOFLAG))
        return lambda value: pattern.fullmatch(str(value)) is not None

    def _bound(self, operand: list[_Piece]) -> Any:
        for piece in operand:
            if not piece.quoted and self._kind == "text" and re.search(r"[*?]|^@", piece.text):
                raise BadFilter("Wildcards cannot be compared.")
        return self._value("".join(piece.text for piece in operand))

    def _value(self, text: str) -> Any:
        kind = self._kind
        if kind == "text":
            return text.upper() if self._code else text
        if kind == "enum":
            return self._option(text)
        try:
            if not text.strip():
                return BLANKS[kind]
            if kind in {"int", "long"}:
                return int(text)
            if kind == "decimal":
                return Decimal(text)
            if kind == "bool":
                return _TRUTHS[text.lower()]
            if kind == "date":
                return date.fromisoformat(text)
            if kind == "datetime":
                stamp = datetime.fromisoformat(text)
                return stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=UTC)
        except (ValueError, KeyError, InvalidOperation):
            raise BadFilter(f"The value '{text}' can't be evaluated into type {kind.capitalize()}.") from None
        return text.lower()

    def _option(self, text: str) -> int:
        words = [option.strip().lower() for option in self._options]
        if text.strip().lower() in words:
            return words.index(text.strip().lower())
        if text.strip().isdecimal() and int(text) < len(words):
            return int(text)
        known = ",".join(self._options)
        raise BadFilter(f"'{text}' is not an option. The existing options are: {known}")

    def _comparable(self, value: Any) -> Any:
        if self._kind == "enum":
            return self._options.index(value) if value in self._options else -1
        return value


def _unexpected(text: str) -> NoReturn:
    raise BadFilter(f"'{text}' is not expected here.")

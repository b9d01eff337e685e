"""``$filter``: a small recursive parser for the operators that API v2.0 pages understand, bound to an entity's properties.

``or`` is refused across different properties, as the service refuses it; ``in`` and nested functions belong to schema version
2.1, which a caller asks for by ``$schemaversion``, and are syntax errors without it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tests.sandbox.business_central.encoding import decode_enum
from tests.sandbox.business_central.entities import EDM_TYPES, EntitySet, Property
from tests.sandbox.business_central.errors import Refusal, bad_syntax, too_long_to_find, unknown_property
from tests.sandbox.business_central.literals import Literal, Token, literal, tokens
from tests.sandbox.business_central.records import Row

Predicate = Callable[[Row], bool]

_COMPARE: dict[str, Callable[..., bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_MATCH: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": operator.contains,
}
_CASE: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}
_FITTING: dict[str, frozenset[str]] = {
    "text": frozenset({"string"}),
    "enum": frozenset({"string"}),
    "guid": frozenset({"guid"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"datetime", "date"}),
    "decimal": frozenset({"number"}),
    "int": frozenset({"number"}),
    "long": frozenset({"number"}),
    "bool": frozenset({"bool"}),
}
_LITERAL_TYPES = {
    "string": "Edm.String",
    "guid": "Edm.Guid",
    "date": "Edm.Date",
    "datetime": "Edm.DateTimeOffset",
    "number": "Edm.Decimal",
    "bool": "Edm.Boolean",
}


@dataclass(frozen=True)
class Condition:
    """One part of a filter: which properties it reads, its test, and what it pins to single values by ``eq``."""

    fields: frozenset[str]
    test: Predicate
    pinned: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Dialect:
    """What a filter may say: `newer` (schema version 2.1), `plain_words` (enum members by their plain words)."""

    newer: bool = False
    plain_words: bool = False


def parse_filter(text: str, entity: EntitySet, dialect: Dialect | None = None) -> Condition:
    """The filter as one condition on the entity's rows, or `Refusal`."""
    parser = _Parser(tokens(text), entity, dialect or Dialect())
    condition = parser.either()
    parser.expect_end()
    return condition


class _Parser:
    def __init__(self, found: list[Token], entity: EntitySet, dialect: Dialect) -> None:
        self._dialect = dialect
        self._tokens = found
        self._entity = entity
        self._next = 0

    def either(self) -> Condition:
        parts = [self.both()]
        while self._accept("or"):
            parts.append(self.both())
        if len(parts) == 1:
            return parts[0]
        fields = frozenset().union(*(part.fields for part in parts))
        if len(fields) > 1:
            raise Refusal(
                400, "BadRequest", "The 'OR' operator is not supported on distinct fields on an OData filter."
            )
        tests = [part.test for part in parts]
        return Condition(fields, lambda row: any(test(row) for test in tests))

    def both(self) -> Condition:
        parts = [self.single()]
        while self._accept("and"):
            parts.append(self.single())
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        return Condition(
            frozenset().union(*(part.fields for part in parts)),
            lambda row: all(test(row) for test in tests),
            tuple(pin for part in parts for pin in part.pinned),
        )

    def single(self) -> Condition:
        if self._accept("("):
            inner = self.either()
            self._expect(")")
            return inner
        token = self._take()
        if token.kind == "word" and token.text in _MATCH:
            return self._match(_MATCH[token.text])
        return self._comparison(token)

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            raise bad_syntax(f"Syntax error at position {token.position}: '{token.text}'.")

    def _match(self, test: Callable[[str, str], bool]) -> Condition:
        self._expect("(")
        token = self._take()
        change = _CASE.get(token.text) if self._dialect.newer else None
        prop, read = self._case_call(change) if change is not None else self._plain(self._property(token))
        self._expect(",")
        wanted = literal(self._take())
        self._expect(")")
        if prop.kind not in {"text", "enum"} or wanted.kind != "string":
            raise bad_syntax("No function signature matches the specified arguments.")
        text = str(wanted.value)
        return Condition(frozenset({prop.name}), lambda row: test(str(read(row)), text))

    def _comparison(self, token: Token) -> Condition:
        if token.kind == "word" and token.text in _CASE:
            prop, read = self._case_call(_CASE[token.text])
        elif token.kind == "word" and token.text == "substring":
            prop, read = self._substring_call()
        else:
            prop, read = self._plain(self._property(token))
        sign = self._take()
        if sign.text == "in" and self._dialect.newer:
            return self._one_of(prop, read)
        if sign.text not in _COMPARE:
            raise bad_syntax(f"Syntax error at position {sign.position}: '{sign.text}'.")
        constant = literal(self._take())
        return self._compared(prop, read, sign.text, constant)

    def _plain(self, prop: Property) -> tuple[Property, Callable[[Row], object]]:
        name = prop.name
        return prop, lambda row: row[name]

    def _one_of(self, prop: Property, read: Callable[[Row], object]) -> Condition:
        self._expect("(")
        tests = []
        while True:
            tests.append(self._compared(prop, read, "eq", literal(self._take())).test)
            if not self._accept(","):
                break
        self._expect(")")
        return Condition(frozenset({prop.name}), lambda row: any(test(row) for test in tests))

    def _compared(self, prop: Property, read: Callable[[Row], object], sign: str, constant: Literal) -> Condition:
        fields = frozenset({prop.name})
        if constant.kind == "null":
            # Nothing is ever null in these pages: blanks are values.
            return Condition(fields, lambda _row: sign == "ne")
        if constant.kind not in _FITTING[prop.kind]:
            raise Refusal(
                400,
                "BadRequest",
                "A binary operator with incompatible types was detected. Found operand types "
                f"'{EDM_TYPES[prop.kind]}' and '{_LITERAL_TYPES[constant.kind]}' for operator kind '{sign}'.",
            )
        value = self._bound(prop, constant)
        compare = _COMPARE[sign]
        pinned = ((prop.name, str(value)),) if sign == "eq" and prop.kind in {"guid", "enum"} else ()
        return Condition(fields, lambda row: compare(read(row), value), pinned)

    def _bound(self, prop: Property, constant: Literal) -> object:
        if prop.kind == "datetime" and isinstance(constant.value, date) and not isinstance(constant.value, datetime):
            return datetime.combine(constant.value, datetime.min.time(), UTC)
        if prop.kind == "enum":
            encoded = str(constant.value)
            word = decode_enum(encoded)
            plain = encoded == word and not word.isalnum() and not self._dialect.plain_words
            if word not in prop.members or plain:
                raise Refusal(400, "BadRequest", f"The string '{encoded}' is not a valid enumeration type constant.")
            return word
        if prop.kind == "text" and prop.length and len(str(constant.value)) > prop.length:
            raise too_long_to_find(prop.name, self._entity.caption, str(constant.value), prop.length)
        return constant.value

    def _case_call(self, change: Callable[[str], str]) -> tuple[Property, Callable[[Row], object]]:
        self._expect("(")
        prop = self._text_property()
        self._expect(")")
        name = prop.name
        return prop, lambda row: change(str(row[name]))

    def _substring_call(self) -> tuple[Property, Callable[[Row], object]]:
        self._expect("(")
        prop = self._text_property()
        self._expect(",")
        start = self._whole_number()
        length = self._whole_number() if self._accept(",") else None
        self._expect(")")
        name, end = prop.name, None if length is None else start + length
        return prop, lambda row: str(row[name])[start:end]

    def _text_property(self) -> Property:
        prop = self._property(self._take())
        if prop.kind != "text":
            raise bad_syntax("No function signature matches the specified arguments.")
        return prop

    def _whole_number(self) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdigit():
            raise bad_syntax(f"Expression expected at position {token.position}.")
        return int(token.text)

    def _property(self, token: Token) -> Property:
        if token.kind != "word":
            raise bad_syntax(f"Expression expected at position {token.position}.")
        prop = self._entity.by_name.get(token.text)
        if prop is None:
            raise unknown_property(token.text, self._entity.type_name)
        return prop

    def _take(self) -> Token:
        if self._next >= len(self._tokens):
            raise bad_syntax("Expression expected at the end of the filter.")
        self._next += 1
        return self._tokens[self._next - 1]

    def _accept(self, text: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next].text == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            where = self._tokens[self._next].position if self._next < len(self._tokens) else "the end"
            raise bad_syntax(f"'{text}' expected at position {where}.")

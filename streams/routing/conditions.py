"""Conditions of the common kind as Python functions: facts compared with literals, joined by `&&`, `||`
and `!`. CEL's own machinery costs several microseconds a question, and all that runs after it its caches.

What means something here means the same in CEL, which has read the condition before; a condition that has
anything else in it is CEL's alone. Each function gives true, false, or None where CEL could not tell,
because metadata or a header is not there.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from streams.routing.facts import FACTS, Value

Known = Mapping[str, Value]
Condition = Callable[[Known], bool | None]
_Operand = Callable[[Known], Any]  # its kind stands beside it; None: it is not there

_TOKEN = re.compile(
    r"""\s*(?://[^\n]*\n?\s*)*(?:
    (?P<text>"[^"\\\n]*"|'[^'\\\n]*')
    | (?P<number>-?(?:0|[1-9]\d{0,17}))(?![\w.])
    | (?P<name>[A-Za-z_]\w*)
    | (?P<sign>\|\||&&|==|!=|<=|>=|[<>!()\[\],.])
    | (?P<end>$))""",
    re.VERBOSE,
)
_KINDS = {name: kind.partition(":")[0] for name, kind in FACTS.items()}
_Compare = Callable[[Any, Any], bool]
_SAME: dict[str, _Compare] = {"==": operator.eq, "!=": operator.ne}
_ORDER: dict[str, _Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_METHODS: dict[str, _Compare] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}


class _Other(Exception):
    """It is not of the common kind."""


def simple(when: str) -> Condition | None:
    """The condition as a function; None if it is not of the common kind. `when` is right in CEL."""
    try:
        return _Parser(when).whole()
    except _Other:
        return None


class _Parser:
    """Reads from left to right. An operand is a function and its kind: string, int, bool."""

    def __init__(self, when: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, kind = 0, ""
        while kind != "end":
            if (found := _TOKEN.match(when, at)) is None or found.lastgroup is None:
                raise _Other
            at, kind = found.end(), found.lastgroup
            self._tokens.append((kind, found[kind]))
        self._at = 0

    def whole(self) -> Condition:
        found = self._either()
        if self._take()[0] != "end":
            raise _Other
        return found

    def _take(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, *signs: str) -> str | None:
        """The next token, if it is one of these; texts are none of them."""
        kind, token = self._tokens[self._at]
        if kind == "text" or token not in signs:
            return None
        self._at += 1
        return token

    def _need(self, sign: str) -> None:
        if self._takes(sign) is None:
            raise _Other

    # -- conditions

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._takes("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _joined(tuple(parts), decisive=True)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._takes("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else _joined(tuple(parts), decisive=False)

    def _one(self) -> Condition:
        if self._takes("!"):
            return _not(self._one_bool())
        if self._takes("("):
            found = self._either()
            self._need(")")
            return found
        left, kind = self._operand()
        if sign := self._takes(*_SAME, *_ORDER):
            right, other = self._operand()
            if kind != other or kind == "bool" or (sign in _ORDER and kind != "int"):
                raise _Other
            return _compared((_SAME | _ORDER)[sign], left, right)
        if kind == "string" and self._takes("in"):
            return self._among(left)
        return _told(left, kind)

    def _one_bool(self) -> Condition:
        """What `!` stands before: it binds closer than a comparison."""
        if self._takes("("):
            found = self._either()
            self._need(")")
            return found
        return _told(*self._operand())

    def _among(self, left: _Operand) -> Condition:
        """`x in ["a", "b"]`, or `"x" in headers`."""
        if self._takes("["):
            texts = [self._text()]
            while self._takes(","):
                texts.append(self._text())
            self._need("]")
            return _compared(_among, left, _literal(frozenset(texts)))
        kind, name = self._take()
        if kind != "name" or _KINDS.get(name) != "map of strings":
            raise _Other
        return _compared(_among, left, lambda known: known[name])

    # -- operands

    def _operand(self) -> tuple[_Operand, str]:
        kind, token = self._take()
        if kind == "text":
            return _literal(token[1:-1]), "string"
        if kind == "number":
            return _literal(int(token)), "int"
        if token in ("true", "false"):
            return _literal(token == "true"), "bool"
        if token == "has":
            self._need("(")
            name, member = self._map(self._take()[1])
            self._need(")")
            there = _compared(_among, _literal(member), lambda known: known[name])
            return there, "bool"
        if kind != "name" or token not in _KINDS:
            raise _Other
        if _KINDS[token] == "map of strings":
            name, member = self._map(token)
            return self._method(_member(name, member))
        if _KINDS[token] == "string":
            return self._method(lambda known: known[token])
        return (lambda known: known[token]), _KINDS[token]

    def _map(self, name: str) -> tuple[str, str]:
        """A map's name, and that of its member that is asked for."""
        if _KINDS.get(name) != "map of strings":
            raise _Other
        if self._takes("["):
            member = self._text()
            self._need("]")
            return name, member
        self._need(".")
        kind, member = self._take()
        if kind != "name" or self._tokens[self._at][1] == "(":
            raise _Other
        return name, member

    def _method(self, text: _Operand) -> tuple[_Operand, str]:
        """A text, or what one of its methods tells of it."""
        if self._takes(".") is None:
            return text, "string"
        method = _METHODS.get(self._take()[1])
        if method is None:
            raise _Other
        self._need("(")
        given = self._text()
        self._need(")")

        return _compared(method, text, _literal(given)), "bool"

    def _text(self) -> str:
        kind, token = self._take()
        if kind != "text":
            raise _Other
        return token[1:-1]


def _literal(value: object) -> _Operand:
    return lambda known: value


def _member(name: str, member: str) -> _Operand:
    def asked(known: Known) -> object:
        found = known[name]
        return found.get(member) if isinstance(found, dict) else None

    return asked


def _told(operand: _Operand, kind: str) -> Condition:
    if kind != "bool":
        raise _Other
    return operand


def _among(one: Any, many: Any) -> bool:
    return one in many


def _compared(how: _Compare, left: _Operand, right: _Operand) -> Condition:
    def asked(known: Known) -> bool | None:
        one, other = left(known), right(known)
        return None if one is None or other is None else how(one, other)

    return asked


def _not(condition: Condition) -> Condition:
    def asked(known: Known) -> bool | None:
        found = condition(known)
        return None if found is None else not found

    return asked


def _joined(parts: tuple[Condition, ...], *, decisive: bool) -> Condition:
    """`||`, for which true is decisive, or `&&`, for which false is: one such part decides, whatever cannot
    be told beside it."""

    def asked(known: Known) -> bool | None:
        told: bool | None = not decisive
        for part in parts:
            if (found := part(known)) is decisive:
                return decisive
            if found is None:
                told = None
        return told

    return asked

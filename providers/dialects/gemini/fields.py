"""Members of a caller's JSON as Google's servers take them: camelCase or snake_case, lenient in numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import Raw

from providers.canonical.request import Members
from schemas.errors import InvalidRequest

T = TypeVar("T")

_members = msgspec.json.Decoder(Members)
_list = msgspec.json.Decoder(list[Raw])
_texts = msgspec.json.Decoder(str | list[str])
_text = msgspec.json.Decoder(str)
_flag = msgspec.json.Decoder(bool)
_number = msgspec.json.Decoder(float | str)
_SNAKE = re.compile(r"_([a-z0-9])")
_NULL = Raw(b"null")
_MAX_NAME = 64  # characters; Google has no longer name, and a cache must not keep a caller's


class Fields:
    """A JSON object of a request; every getter raises InvalidRequest with the path of what is wrong.

    Null means: not there, as everywhere in protobuf's JSON.
    https://protobuf.dev/programming-guides/json/: both spellings, numbers as texts, 40.0 for 40.
    """

    __slots__ = ("_members", "path")

    def __init__(self, raw: Raw | bytes, path: str = "") -> None:
        self.path = path
        found = _decoded(_members, raw, path)
        self._members = {camel(name): value for name, value in found.items() if value != _NULL}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Raw | None:
        """A member as it was sent; it is not among the rest then."""
        return self._members.pop(name, None)

    def rest(self) -> Members:
        """What nobody took."""
        return self._members

    def text(self, name: str) -> str | None:
        return self._taken(name, _text)

    def flag(self, name: str) -> bool | None:
        return self._taken(name, _flag)

    def number(self, name: str) -> float | None:
        found = self._taken(name, _number)
        if found is None:
            return None
        try:
            return float(found)
        except ValueError as error:
            raise InvalidRequest(f"`{self.at(name)}` is no number.", param=self.at(name)) from error

    def integer(self, name: str) -> int | None:
        found = self.number(name)
        if found is None:
            return None
        if not found.is_integer():
            raise InvalidRequest(f"`{self.at(name)}` is no integer.", param=self.at(name))
        return int(found)

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._taken(name, _texts)
        if found is None:
            return ()
        return (found,) if isinstance(found, str) else tuple(found)

    def object(self, name: str) -> Fields | None:
        raw = self.take(name)
        return None if raw is None else Fields(raw, self.at(name))

    def objects(self, name: str) -> Iterator[Fields]:
        """A list of objects; Google takes one object without its list, too."""
        for index, raw in enumerate(self.raws(name)):
            yield Fields(raw, f"{self.at(name)}[{index}]")

    def raws(self, name: str) -> list[Raw]:
        raw = self.take(name)
        if raw is None:
            return []
        if opening(raw) == b"{":
            return [raw]
        return _decoded(_list, raw, self.at(name))

    def _taken(self, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        raw = self._members.pop(name, None)
        return None if raw is None else _decoded(decoder, raw, self.at(name))


def camel(name: str) -> str:
    """`inline_data` as `inlineData`."""
    return _camel(name) if "_" in name and len(name) <= _MAX_NAME else name


@lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    return _SNAKE.sub(lambda found: found[1].upper(), name)


def _decoded(decoder: msgspec.json.Decoder[T], raw: Raw | bytes, path: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error).partition(" - at `")[0]
        name = f"`{path}`" if path else "The body"
        raise InvalidRequest(f"{name} cannot be read: {reason}.", param=path or None) from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.", param=path or None) from error


def opening(raw: Raw) -> bytes:
    """The first byte of a JSON value, which tells its kind."""
    return bytes(memoryview(raw)[:1])

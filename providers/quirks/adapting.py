"""What quirks are made of, and how they are applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw, Struct

from providers.base import Members, Quirk

_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_NOTHING = (b"null", b"[]", b'""')


class Without(Struct, frozen=True):
    """A quirk that leaves out what would be refused, where it is harmless to. The caller is told."""

    fields: tuple[str, ...]
    refused: Callable[[Members, str], bool]
    link: str  # the page that says so

    def __call__(self, members: Members, model: str) -> Members:
        if not self.found(members, model):
            return members
        return {name: value for name, value in members.items() if name not in self.fields}

    def found(self, members: Members, model: str) -> tuple[str, ...]:
        """What it leaves out of these members."""
        given = tuple(name for name in self.fields if name in members)
        return given if given and self.refused(members, model) else ()


class WithoutInMessages(Struct, frozen=True):
    """The same of members of messages, whatever they say. Those that say nothing go unmentioned: SDKs
    send a provider's message back with all that it may have."""

    members: tuple[str, ...]
    link: str

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(f"messages.{name}" for name in self.members)

    def __call__(self, members: Members, model: str) -> Members:
        messages = _messages(members)
        if not any(self._given(message) for message in messages):
            return members
        kept = [
            {name: value for name, value in message.items() if name not in self.members}
            for message in messages
        ]
        return with_member(members, "messages", kept)

    def found(self, members: Members, model: str) -> tuple[str, ...]:
        """What it leaves out of these members, of what says something."""
        said = {
            name
            for message in _messages(members)
            for name in self._given(message)
            if bytes(message[name]) not in _NOTHING
        }
        return tuple(f"messages.{name}" for name in self.members if name in said)

    def _given(self, message: dict[str, Raw]) -> list[str]:
        return [name for name in self.members if name in message]


def _messages(members: Members) -> list[dict[str, Raw]]:
    """None if they are no messages: the provider says what is wrong with them."""
    try:
        return _objects(members["messages"]) if "messages" in members else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def adapted(
    members: Members, quirks: Sequence[Quirk], model: str
) -> tuple[Members, tuple[str, ...]]:
    """The members after all quirks, and the names of what was left out; the same object if no quirk
    had anything to do."""
    dropped: tuple[str, ...] = ()
    for quirk in quirks:
        if isinstance(quirk, Without | WithoutInMessages):
            dropped += quirk.found(members, model)
        members = quirk(members, model)
    return members, dropped


def renamed(members: Members, old: str, new: str) -> Members:
    """With `old` under its new name, unless the caller gave that, too."""
    if old not in members:
        return members
    changed = dict(members)
    value = changed.pop(old)
    changed.setdefault(new, value)
    return changed


def text(members: Members, name: str) -> str | None:
    """The member, if it is a string."""
    try:
        return msgspec.json.decode(members[name], type=str) if name in members else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def table(members: Members, name: str) -> dict[str, Raw] | None:
    """The member, if it is an object."""
    try:
        return _object(members[name]) if name in members else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def with_member(members: Members, name: str, value: object) -> Members:
    """With one member more, or another value of it."""
    return {**members, name: Raw(_encode(value))}

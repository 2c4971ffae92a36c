"""The texts in a JSON body, found and replaced where they stand: every other byte stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from msgspec import Struct

Path = tuple[str | int, ...]
Change = Callable[[Path, str], str]
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]')
_SURROGATE = re.compile("[\ud800-\udfff]")


class Found(Struct, frozen=True):
    """A string that is a value: where it stands, with its quotes, and what it says."""

    path: Path
    start: int
    end: int
    text: str


def strings(body: str) -> Iterator[Found]:
    """The strings of a valid JSON text that are no names of members, in their order."""
    stack: list[
        list[str | int | None]
    ] = []  # a list's next index; an object's member, None: a name comes
    objects: list[bool] = []
    for match in _TOKEN.finditer(body):
        token = match.group()
        if token[0] == '"':
            if objects and objects[-1] and stack[-1][0] is None:
                stack[-1][0] = json.loads(token)
            else:
                path = tuple(each for (each,) in stack if each is not None)
                yield Found(path, match.start(), match.end(), json.loads(token))
        elif token in "{[":
            objects.append(token == "{")
            stack.append([None if token == "{" else 0])
        elif token == ",":
            index = stack[-1][0]
            stack[-1][0] = None if objects[-1] or not isinstance(index, int) else index + 1
        else:
            stack.pop()
            objects.pop()


def quoted(text: str) -> str:
    """A text as JSON has it."""
    # Half of a surrogate pair is no UTF-8.
    return json.dumps(text, ensure_ascii=_SURROGATE.search(text) is not None)


def inner(text: str) -> str:
    """A text as it stands within a JSON string."""
    return quoted(text)[1:-1]


def rewritten(body: str, change: Change) -> str:
    """The JSON text with `change` applied to each string; the same object if nothing changed."""
    pieces: list[str] = []
    at = 0
    for found in strings(body):
        text = change(found.path, found.text)
        if text != found.text:
            pieces += [body[at : found.start], quoted(text)]
            at = found.end
    return "".join([*pieces, body[at:]]) if pieces else body

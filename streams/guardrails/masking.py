"""Personal data out of a question, and back into the answer. Pure, and the same again for the same body."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from streams.guardrails.places import Spot, replaced
from streams.guardrails.recognisers import Recogniser, found
from streams.guardrails.strings import inner, rewritten


class Mask:
    """What stands for what in one request: `[EMAIL_1]` for its first e-mail address."""

    def __init__(self, taken: str, suffix: str = "") -> None:
        """`taken`: a text none of whose own words may become a placeholder; `suffix` sets them apart from
        those of an earlier request that this one continues."""
        self._taken = taken
        self._suffix = suffix
        self._by_value: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}
        self.values: dict[str, str] = {}  # by placeholder, of those that stand in the answer again
        self.count = 0  # of placeholders
        self._pattern: re.Pattern[str] | None = None
        self._longest = 0

    def __bool__(self) -> bool:
        return bool(self.values)

    def placeholder(self, kind: str, value: str, *, restore: bool = True) -> str:
        """The same for equal values. It has no character that JSON would write otherwise."""
        known = self._by_value.get((kind, value))
        if known is not None:
            return known
        number = self._numbers.get(kind, 0)
        while True:
            number += 1
            name = f"[{kind}_{number}{self._suffix}]"
            if name not in self._taken:
                break
        self._numbers[kind] = number
        self._by_value[kind, value] = name
        self.count += 1
        if restore:
            self.values[name] = value
            self._pattern = None
        return name

    # -- into the question

    def masked(self, text: str, recognisers: Sequence[Recogniser], *, restore: bool = True) -> str:
        """The text with placeholders."""
        pieces: list[str] = []
        at = 0
        for span in found(text, recognisers):
            value = text[span.start : span.end]
            pieces += [text[at : span.start], self.placeholder(span.kind, value, restore=restore)]
            at = span.end
        return "".join([*pieces, text[at:]]) if pieces else text

    def body(
        self,
        body: str,
        spots: Sequence[Spot],
        recognisers: Sequence[Recogniser],
        *,
        restore: bool = True,
    ) -> str:
        """A request's body with placeholders."""

        def change(text: str) -> str:
            return self.masked(text, recognisers, restore=restore)

        return replaced(
            body,
            [
                (
                    each.found,
                    within(each.text, change) if each.form == "json" else change(each.text),
                )
                for each in spots
            ],
        )

    # -- back into the answer

    def restored(self, text: str, *, json: bool = False) -> str:
        """The text with its values; `json`: it is a JSON text, in whose strings they stand."""
        if (pattern := self._compiled()) is None:
            return text
        values = self.values
        write: Callable[[str], str] = inner if json else str
        return pattern.sub(lambda match: write(values[match.group()]), text)

    def whole(self, body: str) -> str:
        """A whole answer, or one event of a stream, with its values in every string."""
        return rewritten(
            body,
            lambda path, text: self.restored(text, json=bool(path) and path[-1] in JSON_MEMBERS),
        )

    def answer(self, body: bytes) -> bytes:
        """The same of bytes; what is no JSON stays."""
        try:
            return self.whole(body.decode()).encode(errors="surrogatepass")
        except (ValueError, IndexError):
            return body

    def open_end(self, text: str) -> int:
        """How many characters at the end may be the beginning of a placeholder."""
        if self._compiled() is None:
            return 0
        at = text.rfind("[", max(0, len(text) - self._longest + 1))
        if at < 0:
            return 0
        end = text[at:]
        return len(end) if any(name.startswith(end) and name != end for name in self.values) else 0

    def _compiled(self) -> re.Pattern[str] | None:
        if self._pattern is None and self.values:
            names = sorted(self.values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(name) for name in names))
            self._longest = len(names[0])
        return self._pattern


# Members of an answer whose text is JSON.
JSON_MEMBERS = frozenset({"arguments", "partial_json"})


def within(text: str, change: Callable[[str], str]) -> str:
    """A JSON text with `change` applied to its strings; a malformed one as if it were plain text."""
    try:
        return rewritten(text, lambda _, each: change(each))
    except (ValueError, IndexError):
        return change(text)

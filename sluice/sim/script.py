"""What a model's name asks of the simulated provider.

    sim [-PART]...          parts in any order, joined by `-`

    what it says    echo         the last user message (the default)
                    lorem-K      K words
                    bytes-N      N bytes
                    json-K       a JSON object with K members
                    tool         a call of the first tool of the request; once its result has come,
                                 the result as text
                    tools-K      the same with K calls at once, of the tools in turn
                    refusal      a refusal
                    filtered     the last user message, ended by a content filter
    and before      think-K      K words of thoughts
    from where      continues    only what comes behind the last turn, if that is its own beginning
                    no-prefill   a request that ends with a turn of its own is refused
    what it counts  cached-K     K tokens of the prompt came from a cache
    how fast        N            N ms before the first token and N ms between tokens;
                                 a plain answer waits N ms once
    how it fails    status-S     HTTP status S; 429 and 503 with Retry-After
    (at most one)   retry-S      with it: the seconds in Retry-After (default 1)
                    bare         with it: without Retry-After
                    cut-N        after N chunks the connection is reset; a plain body after a half
                    truncate-N   the same, but the HTTP body ends in good order
                    stall-N      after N chunks silence for ever; a plain body after a half
                    malformed-N  after N chunks an event that is not JSON; a plain body likewise
                    error-N      after N chunks an error event; a plain answer is an error object
                    no-done      a stream without its dialect's end
                    refuse       the connection is closed before any answer
                    hang         no answer, ever
                    context-K    a prompt of more than K words is too long
                    blocked      a content filter refuses the request
    how often       flaky-N      only the first N calls with the same model and messages fail; without
                                 any other fault by status 500
                    flap-N       of such calls N fail, the next N do not, and so on

`sim-20-lorem-32` streams 32 words, one each 20 ms. `sim-flaky-2-cut-3` breaks off twice. A name that
does not begin with `sim` is taken for `sim-echo`. A script in brackets in the last user message, as
`[sim-tools-2]`, stands in for the model's name.
"""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

Says = Literal["echo", "lorem", "bytes", "json", "tool", "tools", "refusal", "filtered"]
Fault = Literal[
    "status",
    "cut",
    "truncate",
    "stall",
    "malformed",
    "error",
    "no-done",
    "refuse",
    "hang",
    "context",
    "blocked",
]
_SAYS: tuple[Says, ...] = get_args(Says)
_FAULTS: tuple[Fault, ...] = get_args(Fault)
# Parts without a number.
_PLAIN = frozenset(
    {
        *("echo", "tool", "refusal", "filtered", "no-done", "refuse", "hang", "blocked"),
        *("bare", "continues", "no-prefill"),
    }
)
_NUMBERED = (
    frozenset({*_SAYS, *_FAULTS, "delay", "retry", "flaky", "flap", "think", "cached"}) - _PLAIN
)
_DASHED = {"nodone": "no-done", "noprefill": "no-prefill"}
_MAX_NUMBER = 64 << 20
LISTED = (
    "sim-echo",
    "sim-20",
    "sim-lorem-100",
    "sim-20-lorem-100",
    "sim-tool",
    "sim-status-429",
    "sim-status-500",
    "sim-cut-3",
    "sim-flaky-1",
)


class UnknownModel(Exception):
    """A name that begins with `sim` and cannot be read."""


class Script(Struct, frozen=True):
    """What to do. `size` belongs to `says`, `number` to `fault`."""

    says: Says = "echo"
    size: int = 0
    delay: float = 0.0  # seconds
    fault: Fault | None = None
    number: int = 0
    retry_after: int = 1  # seconds
    flaky: int = 0
    think: int = 0  # words
    cached: int = 0  # tokens
    bare: bool = False
    flap: int = 0
    continues: bool = False
    no_prefill: bool = False

    def fails(self, attempt: int) -> bool:
        """Whether the n-th call with the same messages has the fault, counted from 1."""
        if self.flap:
            return (attempt - 1) // self.flap % 2 == 0
        return not self.flaky or attempt <= self.flaky


def parse(model: str) -> Script:
    """The script in a model's name; UnknownModel if there is none."""
    joined = model
    for short, name in _DASHED.items():
        joined = joined.replace(name, short)
    first, *words = joined.split("-")
    if first != "sim":
        return Script()
    found: dict[str, int] = {}
    while words:
        word = words.pop(0)
        name = _DASHED.get(word, word)
        if word.isdecimal():
            name = "delay"
            words.insert(0, word)
        if name in found:
            raise UnknownModel(f"{name!r} stands twice in {model!r}")
        if name in _PLAIN:
            found[name] = 0
        elif name in _NUMBERED:
            found[name] = _number(words, name, model)
        else:
            raise UnknownModel(f"{name!r} in {model!r} is unknown")
    return _script(found, model)


def _number(words: list[str], name: str, model: str) -> int:
    if words and words[0].isdecimal() and len(words[0]) < 10 and int(words[0]) <= _MAX_NUMBER:
        return int(words.pop(0))
    raise UnknownModel(f"{name!r} in {model!r} takes a number up to {_MAX_NUMBER}")


def _script(found: dict[str, int], model: str) -> Script:
    says: list[Says] = [name for name in _SAYS if name in found]
    faults: list[Fault] = [name for name in _FAULTS if name in found]
    if len(says) > 1 or len(faults) > 1:
        raise UnknownModel(f"{model!r} names more than one answer or fault")
    if faults == ["status"] and not 400 <= found["status"] < 600:
        raise UnknownModel(f"the status in {model!r} is no error")
    flaky, flap = found.get("flaky", 0), found.get("flap", 0)
    if (flaky or flap) and not faults:
        faults, found["status"] = ["status"], 500
    return Script(
        says=says[0] if says else "echo",
        size=found[says[0]] if says else 0,
        delay=found.get("delay", 0) / 1000,
        fault=faults[0] if faults else None,
        number=found[faults[0]] if faults else 0,
        retry_after=found.get("retry", 1),
        flaky=flaky,
        think=found.get("think", 0),
        cached=found.get("cached", 0),
        bare="bare" in found,
        flap=flap,
        continues="continues" in found,
        no_prefill="no-prefill" in found,
    )

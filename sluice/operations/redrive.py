"""What becomes of dead letters that are to be redriven. Pure.

A redriven request keeps its name while it has no outcome, so that it is answered once however often it
is redriven. One whose outcome is `failed` would only be told that again: it gets a name that follows
from its own, `order-42~1`. One that has any other outcome is never run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from schemas import headers as h
from schemas.clock import from_rfc3339
from schemas.exchange import Outcome
from schemas.headers import Headers
from schemas.requests import INGRESS_SOURCE, MAX_ID_CHARS
from sluice.operations.letters import Letter

NEVER_CALLED = "Malformed"  # the exception of records that were refused before anything else
AGAIN = "~"  # between a name and how often it was redriven


class Known(Struct, frozen=True):
    """What became of a request that has an outcome."""

    outcome: Outcome
    called: bool  # a provider was


class Step(Struct, frozen=True):
    """What is done with one letter."""

    letter: Letter
    action: Literal["redrive", "keep"]
    why: str = ""  # it is kept
    request_id: str = ""  # under which it is produced again
    headers: Headers = []


def plan(letter: Letter, outcomes: Mapping[str, Known], now: float, *, force: bool) -> Step:
    """`outcomes` by request id. `force` says that what may have been paid for may be paid for again."""
    if letter.kind == "unknown" or letter.origin is None:
        return Step(letter, "keep", "it does not say that it stood on a topic of ours")
    if letter.kind == "exchange":
        return Step(letter, "redrive", "", letter.request_id, letter.headers)
    if letter.value is None:
        return Step(letter, "keep", "it has no body")
    return _of_request(letter, outcomes, now, force=force)


def bases(letter: Letter) -> set[str]:
    """What stands before the mark in the names of its requests, and the name of the first."""
    made = _request_id(letter.headers, _again(_name(letter), 1))
    return {letter.request_id, made.rpartition(AGAIN)[0]}


def _of_request(letter: Letter, outcomes: Mapping[str, Known], now: float, *, force: bool) -> Step:
    called = letter.exception != NEVER_CALLED
    time, ce_id, request_id = 0, _named(letter.headers), letter.request_id
    while (known := outcomes.get(request_id)) is not None or ce_id is None:
        if known is not None and known.outcome != "failed":
            return Step(letter, "keep", f"its outcome stands: {known.outcome}", request_id)
        called = called or (known is not None and known.called)
        time += 1
        ce_id = _again(_name(letter), time)
        request_id = _request_id(letter.headers, ce_id)
    if called and not force:
        return Step(letter, "keep", "a provider may have been paid for it: --force", request_id)
    return Step(letter, "redrive", "", request_id, _headers(letter.headers, ce_id, now))


def _named(headers: Headers) -> str | None:
    """The record's own ce_id, if it has one that can be read."""
    found = h.first(headers).get(h.CE_ID)
    try:
        return found.decode() if found else None
    except UnicodeDecodeError:
        return None


def _name(letter: Letter) -> str:
    """A record that has no name is known by where it stood."""
    return _named(letter.headers) or letter.request_id


def _again(name: str, time: int) -> str:
    made = f"{name}{AGAIN}{time}"
    if len(made) <= MAX_ID_CHARS:
        return made
    return f"{blake2b(name.encode(), digest_size=16).hexdigest()}{AGAIN}{time}"


def _request_id(headers: Headers, ce_id: str) -> str:
    source = h.first(headers).get(h.CE_SOURCE, b"").decode(errors="replace") or "/kafka"
    return ce_id if source.startswith(INGRESS_SOURCE) else f"{source}/{ce_id}"


def _headers(headers: Headers, ce_id: str, now: float) -> Headers:
    """As they were, but for the name, and for a deadline that has passed: it would end it at once."""
    left_out = {h.CE_ID, h.REQUEST_ID}
    if _passed(h.first(headers).get(h.CE_EXPIRYTIME), now):
        left_out.add(h.CE_EXPIRYTIME)
    return [
        (h.CE_ID, ce_id.encode()),
        *((name, value) for name, value in headers if name not in left_out),
    ]


def _passed(deadline: bytes | None, now: float) -> bool:
    try:
        return deadline is not None and from_rfc3339(deadline.decode()) <= now
    except ValueError:
        return False


class Done(Struct, frozen=True):
    """What became of a letter, as it is told."""

    number: int
    redriven: bool
    request_id: str
    why: str  # it was kept


def done(step: Step) -> Done:
    """What is told of a step that was taken, or would be."""
    letter = step.letter
    redriven = step.action == "redrive"
    return Done(letter.number, redriven, step.request_id or letter.request_id, step.why)

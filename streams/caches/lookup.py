"""By what one request's answer is looked up, kept and shared."""

from __future__ import annotations

from msgspec import Struct

from schemas.identity import Question
from streams.caches.control import Control

HEADER = "x-cache"
KEY_HEADER = "x-cache-key"
AGE_HEADER = "age"
SIMILARITY_HEADER = "x-cache-similarity"


class Lookup(Struct, frozen=True):
    """What the stages around a call know of it."""

    key: str
    question: Question
    control: Control
    models: tuple[str, ...]  # `instance/model` of all that may answer, sorted
    first: tuple[
        str, str
    ]  # instance and model that is asked first: another one's answer is not kept


def headers(result: str, key: str | None = None, age: float | None = None) -> dict[str, str]:
    """What the caller is told."""
    found = {HEADER: result}
    if key is not None:
        found[KEY_HEADER] = key
    if age is not None:
        found[AGE_HEADER] = str(int(age))
    return found

"""What a tool gave, as Gemini has it: an object whose `output` or `error` says which it is, or any other.

https://ai.google.dev/api/caching#FunctionResponse
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.dialects.gemini.fields import opening

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_any = msgspec.json.Decoder(Raw).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_WORDS = frozenset({"output", "error"})


def read_result(raw: Raw) -> tuple[str | None, bool]:
    """The text of a `response`, None if it holds nothing, and whether it is an error; msgspec's
    DecodeError if it is no object."""
    members = _decode(raw)
    if not members:
        return None, False
    if len(members) == 1:
        (name, value) = next(iter(members.items()))
        if name in _WORDS:
            quoted = opening(value) == b'"'
            return _text(value) if quoted else bytes(value).decode(), name == "error"
    return bytes(raw).decode(), False


def write_result(text: str | None, *, is_error: bool) -> Raw:
    """The text as a `response`. An object goes as it is, so that the model need not read JSON in JSON."""
    if text is None:
        return Raw(b'{"error":""}') if is_error else Raw(b"{}")
    value = _structured(text)
    if not is_error and value is not None and opening(value) == b"{":
        names = _decode(value).keys()
        if names and not names & _WORDS:
            return value
    name = "error" if is_error else "output"
    return Raw(_encode({name: value if value is not None else text}))


def arguments(text: str) -> Raw:
    """A call's arguments as an object. What a model wrote amiss stands in one member: the API takes
    nothing else."""
    return object_of(text) or Raw(_encode({"input": text}))


def object_of(text: str) -> Raw | None:
    """A JSON text as it is if it is an object; none at all is the empty one."""
    text = text.strip()
    if not text:
        return Raw(b"{}")
    value = _structured(text)
    return value if value is not None and opening(value) == b"{" else None


def _structured(text: str) -> Raw | None:
    """A JSON text if it is an object or an array, and nothing beside, not even space."""
    if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return None
    try:
        data = text.encode()
        _any(data)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return Raw(data)

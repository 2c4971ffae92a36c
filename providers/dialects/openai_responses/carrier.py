"""`encrypted_content` of reasoning items: the one field in which this dialect's callers keep opaque
text and send it back.

A token of another dialect's maker travels there sealed (`canonical.tokens`). Some of what belongs to
it has no field of its own that every caller keeps, and goes along in the place of its id: the call
that the token signs, that there is a token only, and the thoughts that are not a summary, because
Codex sends no `reasoning_text` back: https://github.com/openai/codex (ResponseItem::Reasoning).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from providers.canonical.request import Reasoning, ToolCall
from providers.canonical.tokens import Token, seal, unseal

DIALECT = "openai_responses"
_SIGNS_CALLS = "gemini"  # the one dialect whose calls have tokens of their own


class Carried(Struct, frozen=True):
    """What `encrypted_content` holds."""

    token: str
    origin: str
    id: str | None = None
    call_id: str | None = None  # the call that the token belongs to
    text: str = ""
    redacted: bool = False


def carry(reasoning: Reasoning) -> str | None:
    """`encrypted_content` for thoughts; None if they have no token."""
    token, origin = reasoning.token, reasoning.origin or DIALECT
    if token is None or origin == DIALECT:
        return token
    along: dict[str, str] = {}
    if reasoning.id:
        along["id"] = reasoning.id
    if reasoning.redacted:
        along["redacted"] = "1"
    if reasoning.text and not reasoning.summary:
        along["text"] = urlsafe_b64encode(reasoning.text.encode()).decode()
    return seal(Token(origin, token, urlencode(along)), DIALECT)


def carry_call(call: ToolCall) -> str | None:
    """`encrypted_content` of an item in front of a call that has a token; None if it has none."""
    if call.token is None:
        return None
    return seal(Token(_SIGNS_CALLS, call.token, urlencode({"call": call.id})), DIALECT)


def carried(text: str) -> Carried:
    """What a caller sent back."""
    found = unseal(text, DIALECT)
    if found.origin == DIALECT:
        return Carried(found.token, DIALECT)
    along = dict(parse_qsl(found.id or "", keep_blank_values=True))
    return Carried(
        found.token,
        found.origin,
        along.get("id"),
        along.get("call"),
        _decoded(along.get("text", "")),
        "redacted" in along,
    )


def _decoded(text: str) -> str:
    try:
        return urlsafe_b64decode(text.encode()).decode()
    except ValueError:
        return ""  # not as we wrote it

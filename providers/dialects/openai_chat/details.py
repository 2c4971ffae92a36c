"""Thoughts as OpenAI-compatible messages carry them: a text beside the content, or `reasoning_details`.

There is no field for thoughts in OpenAI's own chat API. Its imitators have several: `reasoning_content`
(https://api-docs.deepseek.com/guides/reasoning_model), `reasoning` and, with signatures and encrypted
thoughts, `reasoning_details` (https://openrouter.ai/docs/use-cases/reasoning-tokens). A provider wants
them back in the form in which it sent them; so the token of its thoughts says which: the name of the
field, or the entry of `reasoning_details` without its text. Tokens of other dialects' providers travel
through our callers in the entries' `signature` or `data`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from providers.canonical.request import Reasoning
from providers.canonical.tokens import Token, seal, unseal

DIALECT = "openai_chat"
FIELDS = ("reasoning_content", "reasoning")
THINKING_PART = "thinking"  # https://docs.mistral.ai/capabilities/reasoning: a part of the content
TEXTS = {"reasoning.text": "text", "reasoning.summary": "summary"}
_SUMMARY, _ENCRYPTED = "reasoning.summary", "reasoning.encrypted"

Entry = dict[str, object]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def in_field(text: str, field: str) -> Reasoning:
    """Thoughts that stood in a field of their own."""
    return Reasoning(text, token=field, origin=DIALECT)


def token_of(entry: Entry) -> str:
    """The token of an entry: all of it but the text."""
    field = TEXTS.get(kind_of(entry))
    return _encode({name: value for name, value in entry.items() if name != field}).decode()


def kind_of(entry: Entry) -> str:
    return str(entry.get("type"))


def id_of(entry: Entry) -> str | None:
    found = entry.get("id")
    return found if isinstance(found, str) else None


def text_of(entry: Entry) -> str:
    found = entry.get(TEXTS.get(kind_of(entry), ""))
    return found if isinstance(found, str) else ""


def continues(entry: Entry, last: Entry) -> bool:
    """Whether an entry is the next piece of the one before: pieces of one have its type and index."""
    kind, index = kind_of(entry), entry.get("index")
    if kind not in TEXTS or index is None or (kind, index) != (kind_of(last), last.get("index")):
        return False
    return not (last.get("signature") and text_of(entry))


def parse_details(entries: Iterable[Entry]) -> list[Reasoning]:
    """The thoughts in `reasoning_details`, also of a caller that kept the pieces of a stream."""
    whole: list[Entry] = []
    for entry in entries:
        if whole and continues(entry, whole[-1]):
            whole[-1] = _joined(whole[-1], entry)
        else:
            whole.append(entry)
    found: list[Reasoning] = []
    for position, entry in enumerate(whole):
        made = _thoughts(entry)
        last = whole[position - 1] if position else {}
        if made.redacted and made.origin != DIALECT and _belongs(entry, last):
            made = msgspec.structs.replace(
                made, text=found.pop().text, summary=True, redacted=False
            )
        found.append(made)
    return found


def _joined(first: Entry, piece: Entry) -> Entry:
    field = TEXTS[kind_of(first)]
    more = {name: value for name, value in piece.items() if value is not None}
    return {**first, **more, field: text_of(first) + text_of(piece)}


def _belongs(entry: Entry, last: Entry) -> bool:
    """A summary and its token are two entries of one index."""
    return last.get("type") == _SUMMARY and last.get("index") == entry.get("index")


def _thoughts(entry: Entry) -> Reasoning:
    kind = kind_of(entry)
    text, summary, redacted = text_of(entry), kind == _SUMMARY, kind not in TEXTS
    sealed = entry.get("data") or entry.get("signature")
    if isinstance(sealed, str):
        found = unseal(sealed, DIALECT)
        if found.origin != DIALECT:
            token = found.token or None
            return Reasoning(text, summary, token, found.origin, found.id, redacted)
    return Reasoning(text, summary, token_of(entry), DIALECT, id_of(entry), redacted)


def write_details(reasoning: Reasoning, index: int) -> list[Entry]:
    """The entries of a caller's message; none if the text says it all."""
    if reasoning.origin is None or (reasoning.token is None and reasoning.id is None):
        return []
    if reasoning.origin == DIALECT:
        entry = own_entry(reasoning)
        return [entry] if entry is not None else []
    sealed = seal(Token(reasoning.origin, reasoning.token or "", reasoning.id), DIALECT)
    if not reasoning.redacted and not reasoning.summary:
        text = reasoning.text
        return [{"type": "reasoning.text", "text": text, "signature": sealed, "index": index}]
    encrypted: Entry = {"type": _ENCRYPTED, "data": sealed, "index": index}
    if reasoning.redacted:
        return [encrypted]
    return [{"type": _SUMMARY, "summary": reasoning.text, "index": index}, encrypted]


def plain_entry(reasoning: Reasoning, index: int) -> Entry:
    """The entry of thoughts without a token: written where others have one, so that all stand there."""
    if reasoning.summary:
        return {"type": _SUMMARY, "summary": reasoning.text, "index": index}
    return {"type": "reasoning.text", "text": reasoning.text, "index": index}


def says_all(entries: Iterable[Entry]) -> bool:
    """Whether the thoughts stand in the entries; some providers give only tokens there."""
    return any(text_of(entry) for entry in entries)


def own_entry(reasoning: Reasoning) -> Entry | None:
    """The entry of `reasoning_details` that a provider of this dialect made; None if it made none."""
    try:
        entry = _decode(reasoning.token or "")
    except (msgspec.DecodeError, RecursionError):
        return None
    field = TEXTS.get(kind_of(entry))
    if field is not None and (reasoning.text or reasoning.summary):
        entry[field] = reasoning.text
    return entry

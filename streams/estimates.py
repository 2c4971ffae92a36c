"""How many tokens a text is, about: where a provider does not say, and before it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from schemas.usage import Usage

BYTES_A_TOKEN = 4  # of English text, about; https://help.openai.com/en/articles/4936856
# Members whose texts are no tokens: media, ids, and what signs or encrypts.
_NO_TEXT = frozenset(
    {"data", "url", "image_url", "file_data", "b64_json", "id", "signature", "encrypted_content"}
    | {"model", "object", "type", "role", "thoughtSignature", "system_fingerprint", "created"}
)
_decode = msgspec.json.Decoder().decode


def tokens_in(body: bytes) -> int:
    """Of all texts in a JSON body; 0 if it is none."""
    try:
        return -(-sum(_sizes(_decode(body))) // BYTES_A_TOKEN)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


def _sizes(value: object) -> Iterator[int]:
    if isinstance(value, str):
        yield len(value.encode(errors="replace"))
    elif isinstance(value, list):
        for each in value:
            yield from _sizes(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _NO_TEXT:
                yield from _sizes(each)


def estimated_usage(request: bytes, answer: bytes) -> Usage:
    """The usage of a call of which only the bodies are known; the answer may be a stream."""
    return Usage(tokens_in(request), _answer_tokens(answer), estimated=True)


def _answer_tokens(answer: bytes) -> int:
    if answer.lstrip().startswith(b"{"):
        return tokens_in(answer)
    size = 0
    for line in answer.splitlines():
        if line.startswith(b"data:"):
            try:
                size += sum(_pieces(_decode(line[5:])))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
    return -(-size // BYTES_A_TOKEN)


def _pieces(event: object) -> Iterator[int]:
    """What one event of a stream adds: not what it tells again, as the events that end a part do."""
    if isinstance(event, dict):
        kind = event.get("type")
        if isinstance(kind, str) and kind.startswith("response.") and not kind.endswith(".delta"):
            return
    yield from _sizes(event)

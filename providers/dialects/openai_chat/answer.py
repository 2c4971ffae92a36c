"""Plain answers: held until they are whole, then handed on as they came."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from providers.dialects.openai_chat.usage import parse_usage
from providers.failure import failed_in_band
from schemas.envelopes import error_event
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed, Reply


class _Choice(Struct):
    finish_reason: str | None = None


class _Answer(Struct):
    choices: list[_Choice] | None = None
    usage: Raw = Raw()
    model: str | None = None
    error: Raw = Raw()


_answer = msgspec.json.Decoder(_Answer).decode
_any = msgspec.json.Decoder(Raw).decode
_NULL = b"null"


class AnswerDecoder:
    """Folds the body of a plain answer. How much it may hold is the business of who reads the body."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> Iterable[Reply]:
        """Nothing yet: a piece of JSON is of no use to anybody."""
        self._pieces.append(data)
        return ()

    def finish(self) -> Completed | Failed:
        body = b"".join(self._pieces)
        try:
            if not body.isascii():
                body.decode()
            answer = _answer(body)
        except msgspec.ValidationError:
            return self._unusual(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not body.strip() or _cut(error):
                return Failed(StreamTruncated(), StreamTruncated.status)
            return Failed(_not_json(error), UpstreamError.status)
        if answer.error and bytes(answer.error) != _NULL and not answer.choices:
            return failed_in_band(body)
        return Completed(
            body,
            answer.choices[0].finish_reason if answer.choices else None,
            parse_usage(answer.usage) if answer.usage else None,
            answer.model,
        )

    def abort(self, error: GatewayError) -> bytes:
        return error_event("openai_chat", error)

    def _unusual(self, body: bytes) -> Completed | Failed:
        """JSON of a shape that we do not know: passed on, nothing read."""
        try:
            _any(body)
        except (msgspec.DecodeError, RecursionError) as error:
            return Failed(_not_json(error), UpstreamError.status)
        return Completed(body)


def _cut(error: Exception) -> bool:
    """Whether JSON ended before it was whole. msgspec has no code for it, only this sentence."""
    return str(error) == "Input data was truncated"


def _not_json(error: Exception) -> UpstreamError:
    return UpstreamError(f"The provider's answer is not valid JSON: {error}.")

"""Plain answers that pass through: held until they are whole, then handed on as they came."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from providers.dialects.anthropic.failure import failed_in_band
from providers.dialects.anthropic.read import cut_off
from providers.dialects.anthropic.stop import to_finish
from providers.dialects.anthropic.usage import parse_counts, to_usage
from schemas.envelopes import error_body
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed, Reply


class _Answer(Struct):
    type: str = ""
    model: str | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()


_answer = msgspec.json.Decoder(_Answer).decode
_any = msgspec.json.Decoder(Raw).decode


class AnswerDecoder:
    """Folds the body of a plain answer, a message or a count of tokens."""

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
            return _unusual(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not body.strip() or cut_off(error):
                return Failed(StreamTruncated(), StreamTruncated.status)
            return Failed(_not_json(error), UpstreamError.status)
        if answer.type == "error":
            return failed_in_band(body)
        counts = parse_counts(answer.usage) if answer.usage else {}
        reason = to_finish(answer.stop_reason).reason if answer.stop_reason else None
        return Completed(body, reason, to_usage(counts) if counts else None, answer.model)

    def abort(self, error: GatewayError) -> bytes:
        return error_body("anthropic", error)


def _unusual(body: bytes) -> Completed | Failed:
    """JSON of a shape that we do not know: passed on, nothing read."""
    try:
        _any(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return Failed(_not_json(error), UpstreamError.status)
    return Completed(body)


def _not_json(error: Exception) -> UpstreamError:
    return UpstreamError(f"The provider's answer is not valid JSON: {error}.")

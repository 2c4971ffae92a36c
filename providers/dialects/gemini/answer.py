"""Plain answers: held until they are whole, then handed on as they came."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from providers.dialects.gemini.seen import Response, Seen
from providers.failure import failed_in_band
from schemas.envelopes import error_body
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed, Reply

_one = msgspec.json.Decoder(Response).decode
_several = msgspec.json.Decoder(list[Response]).decode
_any = msgspec.json.Decoder(Raw).decode
_raws = msgspec.json.Decoder(list[Raw]).decode


class AnswerDecoder:
    """Folds the body of a plain answer, or the array of chunks that a stream without `alt=sse` is."""

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
        array = body.lstrip()[:1] == b"["
        try:
            if not body.isascii():
                body.decode()
            responses = _several(body) if array else [_one(body)]
        except msgspec.ValidationError:
            return _unusual(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not body.strip() or _cut(error):
                return Failed(StreamTruncated(), StreamTruncated.status)
            return Failed(_not_json(error), UpstreamError.status)
        seen = Seen()
        for position, response in enumerate(responses):
            if response.failed:
                return failed_in_band(bytes(_raws(body)[position]) if array else body)
            seen.note(response)
        if array and not seen.whole:
            return Failed(StreamTruncated(), StreamTruncated.status)
        return seen.completed(body)

    def abort(self, error: GatewayError) -> bytes:
        return error_body("gemini", error)


def _unusual(body: bytes) -> Completed | Failed:
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

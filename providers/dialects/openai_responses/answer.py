"""Plain answers on their way through: held until they are whole, then handed on as they came."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from providers.dialects.openai_responses.failures import failure
from providers.dialects.openai_responses.usage import parse_usage
from schemas.envelopes import error_body
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed, Reply


class _Details(Struct):
    reason: str | None = None


class _Item(Struct):
    type: str | None = None


class Terminal(Struct):
    """What is read of a Response; a compaction or a count has less of it."""

    status: str | None = None
    model: str | None = None
    error: Raw = Raw()
    usage: Raw = Raw()
    incomplete_details: _Details | None = None
    output: list[_Item] | None = None

    @property
    def failed(self) -> bool:
        return self.status == "failed" or bool(self.error and bytes(self.error) != b"null")

    @property
    def finish_reason(self) -> str | None:
        """In OpenAI chat's words; None while the answer goes on."""
        if self.status is None or self.status in UNFINISHED:
            return None
        if self.status == "incomplete":
            details = self.incomplete_details
            return incomplete_reason(details.reason if details else None)
        return "tool_calls" if any(item.type in CALLS for item in self.output or ()) else "stop"


UNFINISHED = frozenset({"queued", "in_progress", "cancelled"})
CALLS = frozenset({"function_call", "custom_tool_call"})
terminal = msgspec.json.Decoder(Terminal).decode
_any = msgspec.json.Decoder(Raw).decode


def incomplete_reason(native: str | None) -> str:
    """A finish reason for `incomplete_details.reason`."""
    return "length" if native in (None, "max_output_tokens") else native.lower()


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
            found = terminal(body)
        except msgspec.ValidationError:
            return _unusual(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not body.strip() or str(error) == "Input data was truncated":
                return Failed(StreamTruncated(), StreamTruncated.status)
            return Failed(_not_json(error), UpstreamError.status)
        usage = parse_usage(found.usage) if found.usage else None
        if found.failed:
            reason, status = failure(body)
            return Failed(reason, status, body, usage=usage, response_model=found.model)
        return Completed(body, found.finish_reason, usage, found.model)

    def abort(self, error: GatewayError) -> bytes:
        return error_body("openai_responses", error)


def _unusual(body: bytes) -> Completed | Failed:
    """JSON of a shape that we do not know: passed on, nothing read."""
    try:
        _any(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return Failed(_not_json(error), UpstreamError.status)
    return Completed(body)


def _not_json(error: Exception) -> UpstreamError:
    return UpstreamError(f"The provider's answer is not valid JSON: {error}.")

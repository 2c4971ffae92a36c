"""Batches that the gateway runs itself: what is known of one."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from schemas.files import KEEPER

Status = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
ENDED: frozenset[Status] = frozenset({"completed", "failed", "expired", "cancelled"})
MAX_WINDOW = 24 * 3600  # seconds; the log keeps requests for longer
MAX_CUSTOM_ID = 512  # characters
_WINDOW = re.compile(r"([1-9][0-9]{0,4})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class LineError(Struct, frozen=True):
    """Why a batch was not begun."""

    code: str
    message: str
    line: int | None = None  # from 1
    param: str | None = None


class Tokens(Struct):
    """What the lines of a batch have used."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class Piece(Struct):
    """Lines that are put into the log together, written down before they are."""

    begin: int  # bytes of the input file before them
    end: int
    first: int  # number of its first line
    last: int
    made: int  # milliseconds since the epoch: with a line's number this makes the id of its request
    sent: bool = False  # the log has them all


class Batch(Struct, kw_only=True, omit_defaults=True):
    """One batch as it stands in its file, and what its coordinator must know to go on with it."""

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    created_at: int  # epoch seconds, as all times
    expires_at: int
    client: str | None = None  # name of the key
    user_path: str = "/"
    client_ip: str | None = None
    without_bodies: bool = False  # of its requests neither body is stored
    models: tuple[str, ...] = ()  # patterns of what its key may ask for; empty: anything
    metadata: Raw = Raw(b"null")
    status: Status = "validating"
    model: str | None = None
    errors: tuple[LineError, ...] = ()
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    lines: int = 0  # of the input file, empty ones too
    tokens: Tokens = msgspec.field(default_factory=Tokens)
    submitted: int = 0  # requests that are in the log, or may be
    piece: Piece | None = None  # the last one

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def shown(self) -> dict[str, object]:
        """OpenAI's object."""
        errors = [msgspec.structs.asdict(each) for each in self.errors]
        tokens = self.tokens
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": {"object": "list", "data": errors} if errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.completion_window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": self.created_at,
            "in_progress_at": self.in_progress_at,
            "expires_at": self.expires_at,
            "finalizing_at": self.finalizing_at,
            "completed_at": self.completed_at,
            "failed_at": self.failed_at,
            "expired_at": self.expired_at,
            "cancelling_at": self.cancelling_at,
            "cancelled_at": self.cancelled_at,
            "request_counts": {
                "total": self.total,
                "completed": self.completed,
                "failed": self.failed,
            },
            "usage": {
                "input_tokens": tokens.input_tokens,
                "input_tokens_details": {"cached_tokens": tokens.cached_input_tokens},
                "output_tokens": tokens.output_tokens,
                "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
                "total_tokens": tokens.input_tokens + tokens.output_tokens,
            },
            "metadata": self.metadata,
            "provider": KEEPER,
        }


def batch_id(request_id: str) -> str:
    """The id of the batch that a request makes: the same if it is handled again."""
    return f"batch_sluice_{request_id.replace('-', '')}"


def window_of(text: str) -> int | None:
    """Seconds of a completion window; None if it is none that we keep. `24h` is OpenAI's only one."""
    found = _WINDOW.fullmatch(text)
    if found is None or (seconds := int(found[1]) * _SECONDS[found[2]]) > MAX_WINDOW:
        return None
    return seconds

"""What happens to a request: each stage is a function from handler to handler."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import reduce

from schemas.exchange import Attempt
from schemas.replies import Reply
from schemas.requests import ChatBody, Request


class Call:
    """One request under way, and what is learnt on the way for its exchange."""

    __slots__ = ("attempts", "chat", "first_content", "request", "upstream_started")

    def __init__(self, request: Request, chat: ChatBody) -> None:
        self.request = request
        self.chat = chat
        self.attempts: list[Attempt] = []
        self.upstream_started: float | None = None  # monotonic seconds
        self.first_content: float | None = None  # monotonic seconds

    @property
    def streamed(self) -> bool:
        return bool(self.chat.stream)


Replies = AsyncGenerator[Reply, None]
Handler = Callable[[Call], Replies]
Stage = Callable[[Handler], Handler]


def compose(*stages: Stage, around: Handler) -> Handler:
    """Wrap `around` in `stages`; the first stage is outermost and sees the request first."""
    return reduce(lambda handler, stage: stage(handler), reversed(stages), around)

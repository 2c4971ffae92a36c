"""Providers that speak OpenAI chat to callers that do not."""

from __future__ import annotations

from providers.base import Members, Reader, Target
from providers.canonical.answer import Answer
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.openai_chat.read import read_answer
from providers.dialects.openai_chat.read_stream import StreamReader
from providers.dialects.openai_chat.render import render


class Upstream:
    """See providers.base.Upstream."""

    def render(self, chat: ChatRequest, target: Target, notes: Notes) -> Members:
        return render(chat, target, notes)

    def headers(self, chat: ChatRequest) -> dict[str, str]:
        return {}

    def answer(self, body: bytes) -> Answer:
        return read_answer(body)

    def reader(self, chat: ChatRequest) -> Reader:
        return StreamReader(chat.n or 1)

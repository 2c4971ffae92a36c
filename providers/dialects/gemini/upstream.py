"""Providers that speak Gemini."""

from __future__ import annotations

from providers.base import Reader, Target
from providers.canonical.answer import Answer
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Members
from providers.dialects.gemini.custom import customs, restored
from providers.dialects.gemini.read import StreamReader, read_answer
from providers.dialects.gemini.render import render_request


class Upstream:
    """A providers.base.Upstream; and what it had to ask in another way, it restores."""

    def render(self, chat: ChatRequest, target: Target, notes: Notes) -> Members:
        return render_request(chat, target, notes)

    def headers(self, chat: ChatRequest) -> dict[str, str]:
        return {}

    def answer(self, body: bytes) -> Answer:
        return read_answer(body)

    def reader(self, chat: ChatRequest) -> Reader:
        return StreamReader(chat.n or 1, customs(chat))

    def restored(self, answer: Answer, chat: ChatRequest) -> Answer:
        return restored(answer, chat)

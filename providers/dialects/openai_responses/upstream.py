"""Responses to a provider."""

from __future__ import annotations

from providers.base import Members, Reader, Target
from providers.canonical.answer import Answer
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.openai_responses.read import StreamReader
from providers.dialects.openai_responses.read_answer import read_answer
from providers.dialects.openai_responses.render import render


class Upstream:
    """Speaks Responses to a provider."""

    def render(self, chat: ChatRequest, target: Target, notes: Notes) -> Members:
        return render(chat, target, notes)

    def headers(self, chat: ChatRequest) -> dict[str, str]:
        return {}

    def answer(self, body: bytes) -> Answer:
        return read_answer(body)

    def reader(self, chat: ChatRequest) -> Reader:
        return StreamReader()

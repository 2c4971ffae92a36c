"""Speaks Anthropic Messages to a provider."""

from __future__ import annotations

from providers.base import Members, Reader, Target
from providers.canonical.answer import Answer
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.anthropic.read import read_answer
from providers.dialects.anthropic.read_stream import Reader as StreamReader
from providers.dialects.anthropic.render import render
from providers.dialects.anthropic.render_tools import has_files
from providers.dialects.anthropic.shape import Restoring, restored, shape_of

# https://platform.claude.com/docs/en/build-with-claude/files
_FILES = {"anthropic-beta": "files-api-2025-04-14"}


class Upstream:
    """A `providers.base.Upstream`, which restores what it had to ask in another way."""

    def render(self, chat: ChatRequest, target: Target, notes: Notes) -> Members:
        return render(chat, target, notes)

    def headers(self, chat: ChatRequest) -> dict[str, str]:
        return dict(_FILES) if has_files(chat) else {}

    def answer(self, body: bytes) -> Answer:
        return read_answer(body)

    def restored(self, answer: Answer, chat: ChatRequest) -> Answer:
        return restored(answer, chat)

    def reader(self, chat: ChatRequest) -> Reader:
        shape = shape_of(chat)
        return StreamReader() if shape.plain else Restoring(StreamReader(), shape)

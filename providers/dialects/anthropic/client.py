"""Speaks Anthropic Messages to a caller."""

from __future__ import annotations

from providers.base import Context, Writer
from providers.canonical.answer import Answer
from providers.canonical.request import ChatRequest
from providers.dialects.anthropic.parse import parse
from providers.dialects.anthropic.write import write_answer
from providers.dialects.anthropic.write_stream import Writer as StreamWriter
from schemas.requests import Request


class Client:
    """A `providers.base.Client`."""

    def parse(self, request: Request) -> ChatRequest:
        return parse(request)

    def answer(self, answer: Answer, context: Context) -> bytes:
        return write_answer(answer, context)

    def writer(self, context: Context) -> Writer:
        return StreamWriter(context)

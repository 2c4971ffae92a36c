"""Responses to a caller."""

from __future__ import annotations

from providers.base import Context, Writer
from providers.canonical.answer import Answer
from providers.canonical.request import ChatRequest
from providers.dialects.openai_responses.parse import parse
from providers.dialects.openai_responses.write import StreamWriter, response
from schemas.requests import Request


class Client:
    """Speaks Responses to a caller."""

    def parse(self, request: Request) -> ChatRequest:
        return parse(request)

    def answer(self, answer: Answer, context: Context) -> bytes:
        return response(answer, context)

    def writer(self, context: Context) -> Writer:
        return StreamWriter(context)

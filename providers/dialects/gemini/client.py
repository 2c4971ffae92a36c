"""Callers that speak Gemini."""

from __future__ import annotations

from providers.base import Context, Writer
from providers.canonical.answer import Answer
from providers.canonical.request import ChatRequest
from providers.dialects.gemini.parse import parse_request
from providers.dialects.gemini.write import StreamWriter, write_answer
from schemas.requests import Request


class Client:
    """A providers.base.Client."""

    def parse(self, request: Request) -> ChatRequest:
        return parse_request(request)

    def answer(self, answer: Answer, context: Context) -> bytes:
        return write_answer(answer, context)

    def writer(self, context: Context) -> Writer:
        return StreamWriter(context)

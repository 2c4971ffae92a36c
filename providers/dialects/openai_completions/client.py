"""Callers of legacy completions, of a model that a provider serves by another API only."""

from __future__ import annotations

from providers.base import Context, Writer
from providers.canonical.answer import Answer
from providers.canonical.request import ChatRequest
from providers.dialects.openai_completions.parse import parse
from providers.dialects.openai_completions.write import StreamWriter, write_answer
from schemas.requests import Request


class Client:
    """See providers.base.Client."""

    def parse(self, request: Request) -> ChatRequest:
        return parse(request)

    def answer(self, answer: Answer, context: Context) -> bytes:
        return write_answer(answer, context)

    def writer(self, context: Context) -> Writer:
        return StreamWriter(context)

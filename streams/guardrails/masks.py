"""What is known of masked text where outcomes are recorded and told again."""

from __future__ import annotations

from typing import Protocol

from schemas.bodies import Envelope
from schemas.exchange import Exchange
from schemas.requests import Request
from streams.stages import Call


class Masks(Protocol):
    """Who knows which of it is masked; may not block."""

    def again(self, request: Request, envelope: Envelope, exchange: Exchange) -> bytes:
        """A recorded answer as its caller is told it: with what was masked in it."""
        ...

    def before(self, call: Call) -> None:
        """Note what may be stored of a request to which no guardrail came."""
        ...


class NoMasks:
    """Where nothing is masked."""

    def again(self, request: Request, envelope: Envelope, exchange: Exchange) -> bytes:
        return exchange.response.content() if exchange.response else b""

    def before(self, call: Call) -> None:
        return

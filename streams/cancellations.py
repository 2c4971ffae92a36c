"""Whose end was asked for, remembered for requests that come later; and who goes on all the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from schemas.bodies import Envelope
from schemas.requests import Request
from streams.delivery import Delivery

REMEMBERED = 100_000


def _never(request: Request, envelope: Envelope) -> bool:
    return False


class Cancellations:
    """Those that one worker has heard of."""

    def __init__(self) -> None:
        # Whether a request goes on to its outcome when its client has gone.
        self.finishes: Callable[[Request, Envelope], bool] = _never
        self._left: OrderedDict[str, bool] = OrderedDict()  # False: somebody wants its end

    def note(self, request_id: str, *, left: bool) -> None:
        """`left`: its client has gone, and nobody has said more."""
        self._left[request_id] = left and self._left.get(request_id, True)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)

    def stops(self, delivery: Delivery) -> bool:
        """Whether a request is to end."""
        left = self._left.get(delivery.request.request_id)
        if not left:
            return left is not None
        return not self.finishes(delivery.request, delivery.envelope)
